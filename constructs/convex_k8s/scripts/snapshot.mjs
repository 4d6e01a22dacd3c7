// The ZIP of an export: whether it is whole. Every entry is unpacked and compared with its checksum, and the listing of
// tables must be there.

import { open } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { createInflateRaw } from "node:zlib";
import { pipeline } from "node:stream/promises";
import { Writable } from "node:stream";

import { Failure } from "./convex_api.mjs";

const LISTING = "_tables/documents.jsonl";
const STORED = 0;
const DEFLATED = 8;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const LONGEST_COMMENT = 65_535;

/** Check the ZIP, and return how many entries and tables it has. A damaged one is a `Failure`. */
export async function checkSnapshot(path) {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const entries = await directory(file, size);
    const listing = entries.find((entry) => entry.name === LISTING || entry.name.endsWith(`/${LISTING}`));
    if (!listing) throw new Failure(`the ZIP is no export of Convex: it has no ${LISTING}`);
    let tables = [];
    for (const entry of entries) {
      const text = await checkEntry(file, path, entry, entry === listing);
      if (entry === listing) tables = lines(text);
    }
    return { entries: entries.length, tables, size };
  } finally {
    await file.close();
  }
}

async function read(file, position, length) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw new Failure("the ZIP is cut off");
  return buffer;
}

/** The entries that the directory at the ZIP's end names. */
async function directory(file, size) {
  const length = Math.min(size, LONGEST_COMMENT + 22);
  const tail = await read(file, size - length, length);
  let at = -1;
  for (let position = length - 22; position >= 0; position -= 1) {
    if (tail.readUInt32LE(position) === END && position + 22 + tail.readUInt16LE(position + 20) === length) {
      at = position;
      break;
    }
  }
  if (at < 0) throw new Failure("the ZIP has no end: the download was cut off, or is not a ZIP");
  let count = tail.readUInt16LE(at + 10);
  let bytes = tail.readUInt32LE(at + 12);
  let start = tail.readUInt32LE(at + 16);
  if (count === 0xffff || bytes === 0xffffffff || start === 0xffffffff) {
    const locator = await read(file, size - length + at - 20, 20);
    if (locator.readUInt32LE(0) !== LOCATOR_64) throw new Failure("the ZIP's directory is damaged");
    const end = await read(file, Number(locator.readBigUInt64LE(8)), 56);
    if (end.readUInt32LE(0) !== END_64) throw new Failure("the ZIP's directory is damaged");
    count = Number(end.readBigUInt64LE(32));
    bytes = Number(end.readBigUInt64LE(40));
    start = Number(end.readBigUInt64LE(48));
  }
  const entries = parse(await read(file, start, bytes));
  if (entries.length !== count) throw new Failure("the ZIP's directory is damaged");
  return entries;
}

function parse(buffer) {
  const entries = [];
  for (let at = 0; at + 46 <= buffer.length && buffer.readUInt32LE(at) === ENTRY; ) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => buffer.readUInt16LE(at + offset));
    const entry = {
      name: buffer.toString("utf8", at + 46, at + 46 + nameLength),
      method: buffer.readUInt16LE(at + 10),
      crc: buffer.readUInt32LE(at + 16),
      packed: buffer.readUInt32LE(at + 20),
      size: buffer.readUInt32LE(at + 24),
      start: buffer.readUInt32LE(at + 42),
    };
    widen(entry, buffer.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    entries.push(entry);
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** Numbers above 32 bits stand in an extra field, in this order and only where the short one is full. */
function widen(entry, extra) {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let field = at + 4;
    for (const key of ["size", "packed", "start"]) {
      if (entry[key] !== 0xffffffff) continue;
      entry[key] = Number(extra.readBigUInt64LE(field));
      field += 8;
    }
  }
}

/** Unpack an entry and compare it with its checksum; returns its text where that is wanted. */
async function checkEntry(file, path, entry, wanted) {
  const header = await read(file, entry.start, 30);
  if (header.readUInt32LE(0) !== LOCAL) throw new Failure(`the ZIP is damaged at ${entry.name}`);
  const name = await read(file, entry.start + 30, header.readUInt16LE(26));
  if (name.toString("utf8") !== entry.name) throw new Failure(`the ZIP is damaged at ${entry.name}`);
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw new Failure(`the ZIP packs ${entry.name} by method ${entry.method}, which cannot be checked here`);
  }
  const start = entry.start + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const state = { crc: 0xffffffff, size: 0, text: [] };
  const sink = new Writable({
    write(chunk, _, done) {
      state.crc = crc32(chunk, state.crc);
      state.size += chunk.length;
      if (wanted) state.text.push(chunk);
      done();
    },
  });
  if (entry.packed > 0) {
    const packed = createReadStream(path, { start, end: start + entry.packed - 1 });
    try {
      await (entry.method === STORED ? pipeline(packed, sink) : pipeline(packed, createInflateRaw(), sink));
    } catch (error) {
      throw new Failure(`the ZIP is damaged at ${entry.name} (${error.code ?? error.message})`);
    }
  }
  if (state.size !== entry.size || (state.crc ^ 0xffffffff) >>> 0 !== entry.crc) {
    throw new Failure(`the ZIP is damaged at ${entry.name}: its checksum is another`);
  }
  return Buffer.concat(state.text).toString("utf8");
}

function lines(text) {
  try {
    return text
      .split("\n")
      .filter((line) => line.trim())
      .map((line) => JSON.parse(line).name);
  } catch {
    throw new Failure(`the ZIP's ${LISTING} cannot be read`);
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(chunk, before) {
  let crc = before;
  for (const byte of chunk) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return crc;
}
