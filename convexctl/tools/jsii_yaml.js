// Writes YAML as cdk8s does, byte for byte, in a fraction of the time. cdk8s's own writer makes the text of each key and
// each scalar, once for all environments. Here is only what is between them: maps, lists and their indentation. A
// document with anything out of the ordinary is cdk8s's own to write.
'use strict';
const MOST_KNOWN = 10_000;
const MARKER = /^(%|---|\.\.\.)/m;

class Unusual extends Error {}

class Writer {
  constructor(slow) {
    this.slow = slow;
    this.known = new Map();
  }

  document(value) {
    this.seen = new Set();
    try {
      if (kind(value) !== 'map' || !Object.keys(value).length) return this.slow(value);
      return `${this.map(value, '')}\n`;
    } catch (error) {
      if (!(error instanceof Unusual)) throw error;
      return this.slow(value);
    }
  }

  map(value, indent) {
    const lines = [];
    for (const key of Object.keys(value)) lines.push(this.key(key) + this.item(value[key], indent, false));
    return lines.join(`\n${indent}`);
  }

  item(value, indent, inList) {
    const its = kind(value);
    const deeper = `${indent}  `;
    if (its === 'scalar') return this.scalar(value, indent, inList);
    // The same object in two places would be an anchor and an alias.
    if (this.seen.has(value)) throw new Unusual();
    this.seen.add(value);
    const empty = its === 'list' ? value.length === 0 : Object.keys(value).length === 0;
    if (empty) return its === 'list' ? ' []' : ' {}';
    const before = inList ? ' ' : `\n${deeper}`;
    if (its === 'map') return before + this.map(value, deeper);
    return before + value.map((each) => `-${this.item(each, deeper, true)}`).join(`\n${deeper}`);
  }

  key(key) {
    return this.remembered(`key ${key}`, () => {
      if (key === '<<' || MARKER.test(key)) throw new Unusual();
      const match = /^([^\n]+:) 0\n$/.exec(this.slow({ [key]: 0 }));
      if (!match || match[1].startsWith('?')) throw new Unusual();
      return match[1];
    });
  }

  scalar(value, indent, inList) {
    const text = this.remembered(`${inList ? 'item' : 'value'} ${typeof value} ${value}`, () => {
      if (typeof value === 'string' && /^[\n ]|[ \t\n]\n$/.test(value)) throw new Unusual();
      return inList ? this.slow([value]).slice(1, -1) : this.slow({ a: value }).slice(2, -1);
    });
    return indent && text.includes('\n') ? text.replace(/\n+/g, `$&${indent}`) : text;
  }

  remembered(name, make) {
    let text = this.known.get(name);
    if (text === undefined) {
      text = make();
      if (this.known.size >= MOST_KNOWN) this.known.clear();
      this.known.set(name, text);
    }
    return text;
  }
}

function kind(value) {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return 'scalar';
  }
  if (Array.isArray(value)) return 'list';
  const plain = Object.prototype.toString.call(value) === '[object Object]';
  if (!plain || typeof value.toJSON === 'function' || Symbol.iterator in value) throw new Unusual();
  return 'map';
}

module.exports = { Writer };
