// Writes the same documents by our writer and by cdk8s: odd ones, and thousands at random. Prints how many there were,
// and how often cdk8s was asked. usage: node compare_yaml.js jsii_yaml.js cdk8s/lib/yaml.js
'use strict';
const { Writer } = require(process.argv[2]);
const { Yaml } = require(process.argv[3]);
let state = 1;
const random = (below) => (state = (state * 48271) % 2147483647) % below;
const pick = (list) => list[random(list.length)];
const ODD = ['', ' ', 'a', 'true', 'null', '~', '0x1f', '1e3', '012', '1:30', '-', '- a', '?', '? a', 'a: b', 'a #b', '#a', '"', "'",
  '{a}', '[', '*a', '&a', '!a', '%a', '@a', '`', '---', '--- a', '...', 'a\n---\nb', 'a\nb', 'a\nb\n', 'a\n\nb\n', 'a\n\n',
  '\na', ' a\nb', 'a \nb', 'a\n b\n', 'a\n  ', '\ta', 'a\t', 'a\u0001', 'a\u0085b', '\ud800', 'ä', '😀', '<<', '=', '__proto__', 'a:',
  'x'.repeat(200), 'x y '.repeat(60), 'with\u0000zero and a long text behind it\nof two lines', 'a\r\nb', '2001-01-01', '.inf', '1_000', 'yes'];
const scalar = () => pick([() => pick(ODD), () => pick(ODD) + pick(ODD), () => random(1e6), () => -random(9) / 7, () => 1e21, () => 1e-7,
  () => null, () => true, () => false, () => `host-${random(50)}.example.org`])();
const made = (depth) => {
  const what = depth > 5 ? 0 : random(6);
  if (what < 3) return scalar();
  if (what === 3) return Array.from({ length: random(4) }, () => made(depth + 1));
  const map = {};
  for (let left = random(5); left > 0; left--) Object.defineProperty(map, random(3) ? `key${random(9)}` : String(scalar()),
    { value: made(depth + 1), enumerable: true, configurable: true, writable: true });
  return map;
};
const shared = { a: 1 };
const special = [{}, [], 'a', null, { a: shared, b: shared }, { a: [shared, [shared]] }, { a: undefined }, { a: new Date(0) }, { a: [[1, [2]], []] },
  { a: new Map([[1, 2]]) }, { a: { toJSON: () => 5 } }, { a: [undefined] }, { a: NaN, b: -0, c: Infinity }, { a: 10n }];
let slow = 0;
const writer = new Writer((value) => (slow++, Yaml.stringify(value)));
const documents = [...special, ...Array.from({ length: 4000 }, () => ({ kind: 'a', value: made(0) }))];
for (const value of documents) {
  const [ours, theirs] = [() => writer.document(value), () => Yaml.stringify(value)].map((make) => {
    try { return make(); } catch (error) { return `error: ${error.message}`; }
  });
  if (ours !== theirs) {
    console.log(JSON.stringify(value), ours, theirs);
    process.exit(1);
  }
}
console.log(documents.length, slow);
