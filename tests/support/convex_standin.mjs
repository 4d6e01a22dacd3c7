// A stand-in for the Convex backend that speaks the admin's HTTP API: export, import, variables, system queries by HTTP and
// by websocket, and a deploy, as far as the CLI `convex` needs them. Its data are tables in memory, its exports real ZIP files. Faults are ordered by
// POST /standin/fault, and GET /standin/state tells what it has.
//
// A key is good when it is ADMIN_KEY, or was made from INSTANCE_SECRET.
//
//   PORT (0: a free one, printed as the first line), INSTANCE_NAME, ADMIN_KEY, TABLES (JSON: name -> lines), LOOKS (how
//   often an export or an import is still at work when it is asked for), TAG (what /version answers)
//
// POST /standin/renew makes it a new one under the variables that it is given, for the next test.

import { createCipheriv, createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";
import { brotliDecompressSync, crc32 as zlibCrc32, deflateRawSync, inflateRawSync } from "node:zlib";

const NANOSECONDS = 1_000_000n;
let variables = process.env;
const state = fresh();

function fresh() {
  return {
    instance: variables.INSTANCE_NAME ?? "convex-self-hosted",
    tables: JSON.parse(variables.TABLES ?? '{"messages":["{\\"_id\\":\\"m1\\",\\"body\\":\\"hello\\"}"]}'),
    variables: {},
    functions: [],
    exports: [],
    uploads: new Map(),
    imports: new Map(),
    faults: [],
    requests: [],
    metrics: false,
    cloudOrigin: variables.CLOUD_ORIGIN,
  };
}

function renew(given) {
  variables = given;
  for (const name of Object.keys(state)) delete state[name];
  Object.assign(state, fresh());
}

const adminKey = () => variables.ADMIN_KEY ?? `${variables.INSTANCE_NAME ?? "convex-self-hosted"}|00`;
const looksOfEach = () => Number(variables.LOOKS ?? 2);

function opens(given) {
  if (given === adminKey()) return true;
  const [name, hex] = given.split("|");
  const raw = Buffer.from(hex ?? "", "hex");
  if (name !== state.instance || raw.length < 33 || !variables.INSTANCE_SECRET) return false;
  const counter = Buffer.from([0, 0, 0, 1]);
  const secret = Buffer.from(variables.INSTANCE_SECRET, "hex");
  const root = createHmac("sha256", secret).update(Buffer.concat([counter, Buffer.from("admin key")])).digest().subarray(0, 16);
  const nonce = raw.subarray(1, 13);
  const derived = [2, 3].map((number) => aes(root, Buffer.concat([Buffer.from([number, 0, 0, 0]), nonce])).subarray(0, 8));
  const block = Buffer.from(raw.subarray(-16));
  block[15] |= 0x80;
  const sealed = raw.subarray(13, -16);
  const text = aes(Buffer.concat(derived), block).subarray(0, sealed.length).map((byte, at) => byte ^ sealed[at]);
  // A message of two numbers: when it was issued, and for whom. Another secret gives other bytes.
  return text[0] === 0x10 && text.at(-2) === 0x18 && text.at(-1) === 0;
}

function aes(under, block) {
  return createCipheriv("aes-128-ecb", under, null).setAutoPadding(false).update(block);
}

function crc32(buffer) {
  if (zlibCrc32) return zlibCrc32(buffer);
  let crc = 0xffffffff;
  for (const byte of buffer) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function zip(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const data = Buffer.from(text);
    const packed = deflateRawSync(data);
    const head = Buffer.alloc(30);
    // Sizes and checksum stand behind the data and in the directory, as a server that streams writes them.
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(20, 4);
    head.writeUInt16LE(8, 6);
    head.writeUInt16LE(8, 8);
    head.writeUInt16LE(name.length, 26);
    const tail = Buffer.alloc(16);
    tail.writeUInt32LE(0x08074b50, 0);
    tail.writeUInt32LE(crc32(data), 4);
    tail.writeUInt32LE(packed.length, 8);
    tail.writeUInt32LE(data.length, 12);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(8, 8);
    entry.writeUInt16LE(8, 10);
    tail.copy(entry, 16, 4);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    directory.push(entry, Buffer.from(name));
    const whole = [head, Buffer.from(name), packed, tail];
    parts.push(...whole);
    at += whole.reduce((sum, part) => sum + part.length, 0);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

function unzip(buffer) {
  const files = {};
  for (let at = buffer.readUInt32LE(buffer.length - 6); buffer.readUInt32LE(at) === 0x02014b50; ) {
    const nameLength = buffer.readUInt16LE(at + 28);
    const name = buffer.toString("utf8", at + 46, at + 46 + nameLength);
    const local = buffer.readUInt32LE(at + 42);
    const start = local + 30 + buffer.readUInt16LE(local + 26) + buffer.readUInt16LE(local + 28);
    files[name] = inflateRawSync(buffer.subarray(start, start + buffer.readUInt32LE(at + 20))).toString();
    at += 46 + nameLength + buffer.readUInt16LE(at + 30) + buffer.readUInt16LE(at + 32);
  }
  return files;
}

function snapshot() {
  const names = Object.keys(state.tables);
  const files = { "README.md": "An export.\n", "_tables/documents.jsonl": names.map((name, id) => `${JSON.stringify({ name, id })}\n`).join("") };
  for (const name of names) files[`${name}/documents.jsonl`] = state.tables[name].map((line) => `${line}\n`).join("");
  return zip(files);
}

function restored(buffer) {
  const tables = {};
  for (const [name, text] of Object.entries(unzip(buffer))) {
    const [table, file] = name.split("/");
    if (file === "documents.jsonl" && table !== "_tables") tables[table] = text.split("\n").filter(Boolean);
  }
  return tables;
}

const queries = {
  "_system/cli/exports:getLatest": () => {
    const latest = state.exports.at(-1);
    if (!latest) return null;
    const { zip: _, looks, ...shown } = latest;
    if (looks > 0) {
      latest.looks -= 1;
      return { ...shown, state: looks > 1 ? "requested" : "in_progress", progress_message: "Backing up messages" };
    }
    return { ...shown, size: String(latest.zip.length) };
  },
  "_system/cli/queryImport": ({ importId }) => {
    const one = state.imports.get(importId);
    if (!one) return null;
    if (one.looks > 0 && ["uploaded", "in_progress"].includes(one.state.state)) {
      one.looks -= 1;
    } else if (one.state.state === "uploaded") {
      one.state = { state: "waiting_for_confirmation", message_to_confirm: `table | replaced\n${Object.keys(state.tables).join("\n")}`, require_manual_confirmation: true };
    } else if (one.state.state === "in_progress") {
      state.tables = restored(one.data);
      const rows = Object.values(state.tables).reduce((sum, lines) => sum + lines.length, 0);
      one.state = { state: "completed", num_rows_written: String(rows) };
    }
    return { state: one.state };
  },
  "_system/cli/queryImport:list": () => [],
  "_system/cli/modules:apiSpec": () => state.functions,
  "_system/cli/queryEnvironmentVariables": () => Object.entries(state.variables).map(([name, value]) => ({ name, value })),
  "_system/cli/queryEnvironmentVariables:get": ({ name }) => (name in state.variables ? { name, value: state.variables[name] } : null),
  "_system/cli/convexUrl:cloudUrl": () => state.cloudOrigin ?? `http://127.0.0.1:${server.address().port}`,
};

function begin(looks = looksOfEach()) {
  const id = `export${state.exports.length + 1}`;
  const now = BigInt(Date.now()) * NANOSECONDS;
  const end = String(now + 1_209_600_000n * NANOSECONDS);
  state.exports.push({ _id: id, state: state.nextExport ?? "completed", start_ts: String(now), complete_ts: String(now), expiration_ts: end, zip: snapshot(), looks });
}

const DASHBOARD = (url) => `<html><title>Convex Dashboard</title><script id="__NEXT_DATA__">{"props":{"pageProps":{"deploymentUrl":"${url}","adminKey":null}}}</script></html>`;

const routes = {
  "GET /version": (_, answer) => answer(200, variables.TAG ?? "unknown", "text/plain"),
  "GET /instance_name": (_, answer) => answer(200, state.instance, "text/plain"),
  "GET /": (_, answer) => (state.dashboard ? answer(200, DASHBOARD(state.dashboard), "text/html") : answer(200, "This Convex deployment is running.", "text/plain")),
  "POST /echo": ({ body }, answer) => answer(200, body, "application/octet-stream"),
  "GET /standin/state": (_, answer) => answer(200, { ...state, uploads: undefined, imports: [...state.imports.values()].map((one) => one.state), exports: state.exports.map((one) => ({ ...one, zip: one.zip.length })) }),
  "POST /standin/fault": ({ json }, answer) => answer(200, (state.faults.push(json()), {})),
  "POST /standin/set": ({ json }, answer) => answer(200, (Object.assign(state, json()), {})),
  "POST /standin/renew": ({ json }, answer, socket) => {
    renew(json());
    for (const other of sockets) if (other !== socket) other.destroy();
    answer(200, {});
  },
  "POST /standin/export": ({ json }, answer) => answer(200, (begin(json().looks), {})),
};
const adminRoutes = {
  "GET /api/check_admin_key": (_, answer) => answer(200, { isReadOnly: adminKey().endsWith("ro"), allowedOps: [] }),
  "POST /api/query": ({ json }, answer) => {
    const { path, args } = json();
    const query = queries[path];
    answer(200, query ? { status: "success", value: query(args) } : { status: "error", errorMessage: `no query ${path}` });
  },
  "POST /api/export/request/zip": (_, answer) => {
    const latest = state.exports.at(-1);
    if (latest?.looks > 0) return answer(400, { code: "ExportInProgress", message: "There is already an export in progress." });
    begin();
    answer(200, null);
  },
  "POST /api/import/start_upload": (_, answer) => {
    const token = `upload${state.uploads.size + 1}`;
    state.uploads.set(token, []);
    answer(200, { uploadToken: token });
  },
  "POST /api/import/upload_part": ({ url, body }, answer) => {
    const parts = state.uploads.get(url.searchParams.get("uploadToken"));
    if (!parts) return answer(400, { code: "InvalidUpload", message: "no such upload" });
    parts[Number(url.searchParams.get("partNumber")) - 1] = body;
    answer(200, `part${url.searchParams.get("partNumber")}`);
  },
  "POST /api/import/finish_upload": ({ json }, answer) => {
    const { import: how, uploadToken, partTokens } = json();
    const parts = state.uploads.get(uploadToken) ?? [];
    if (how?.format !== "zip" || how.mode !== "replaceAll" || partTokens.some((token, index) => token !== `part${index + 1}`)) return answer(400, { code: "InvalidUpload", message: "wrong parts" });
    const importId = `import${state.imports.size + 1}`;
    state.imports.set(importId, { data: Buffer.concat(parts), looks: looksOfEach(), state: { state: "uploaded" } });
    answer(200, { importId });
  },
  "POST /api/perform_import": ({ json }, answer) => {
    const one = state.imports.get(json().importId);
    if (one?.state.state !== "waiting_for_confirmation") return answer(400, { code: "ImportNotWaiting", message: "not waiting" });
    Object.assign(one, { looks: looksOfEach(), state: { state: "in_progress", progress_message: "Importing", checkpoint_messages: [] } });
    answer(200, null);
  },
  "POST /api/cancel_import": ({ json }, answer) => {
    state.imports.get(json().importId).state = { state: "failed", error_message: "Import canceled" };
    answer(200, null);
  },
  "POST /api/get_config_hashes": (_, answer) => answer(200, { config: { functions: "convex/", authInfo: [] }, moduleHashes: [] }),
  "POST /api/push_config": ({ json }, answer) => {
    state.functions = json().modules.map(({ path }) => ({ identifier: path }));
    answer(200, { authDiff: {}, schemaId: null });
  },
  "GET /api/stream_udf_execution": ({ url }, answer) => setTimeout(() => answer(200, { entries: [], newCursor: Number(url.searchParams.get("cursor")) }), state.logPollMs ?? 60_000),
  "GET /api/list_environment_variables": (_, answer) => answer(200, { environmentVariables: state.variables }),
  "POST /api/update_environment_variables": ({ json }, answer) => {
    for (const { name, value } of json().changes) {
      if (value === null || value === undefined) delete state.variables[name];
      else state.variables[name] = value;
    }
    answer(200, null);
  },
};

function fault(route) {
  const found = state.faults.find((one) => one.route === route && one.times > 0 && (one.after ?? 0) <= 0);
  for (const one of state.faults) if (one.route === route && one.after > 0) one.after -= 1;
  if (found) found.times -= 1;
  return found;
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://standin");
  let route = `${request.method} ${url.pathname}`;
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return undefined; // the client is gone
  }
  const body = Buffer.concat(chunks);
  const answer = (status, content, type = "application/json") => {
    if (state.date) response.setHeader("Date", state.date);
    const text = Buffer.isBuffer(content) || type !== "application/json" ? content : JSON.stringify(content);
    response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
    response.end(text);
  };
  if (state.noEcho && url.pathname === "/echo") return answer(404, "no such page", "text/plain");
  if (body.length > (state.largest ?? Infinity)) return answer(413, "too large", "text/plain");
  const sent = { url, body, json: () => JSON.parse(request.headers["content-encoding"] === "br" ? brotliDecompressSync(body) : body) };
  if (routes[route]) return routes[route](sent, answer, request.socket);
  if (url.pathname === "/metrics" && state.metrics) return answer(200, "# TYPE up gauge\nup 1\n", "text/plain");
  const download = /^\/api\/export\/zip\/(\w+)$/.exec(url.pathname);
  const expiration = /^\/api\/export\/set_expiration\/(\w+)$/.exec(url.pathname);
  if (download) route = "GET /api/export/zip";
  if (expiration) route = "POST /api/export/set_expiration";
  state.requests.push(route);
  if (!download && !expiration && !adminRoutes[route]) return answer(404, { code: "NotFound", message: "no such route" });
  if (!opens((request.headers.authorization ?? "").replace("Convex ", ""))) return answer(401, { code: "BadDeployKey", message: "The provided deploy key was invalid" });
  const broken = fault(route);
  if (broken?.status) return answer(broken.status, { code: broken.code ?? "InternalServerError", message: "a fault" });
  if (broken?.close) return request.socket.destroy();
  if (broken?.hang) return undefined;
  if (expiration) {
    state.exports.find((one) => one._id === expiration[1]).expiration_ts = /"expirationTsNs":\s*(\d+)/.exec(body.toString())[1];
    return answer(200, null);
  }
  if (!download) return adminRoutes[route](sent, answer);
  const one = state.exports.find((each) => [each._id, each.start_ts].includes(download[1]));
  if (!one || one.looks > 0) return answer(404, { code: "ExportNotFound", message: "no such export" });
  const data = Buffer.from(one.zip);
  if (broken?.corrupt) data[42] ^= 0xff;
  if (!broken?.truncate) return answer(200, data, "application/zip");
  response.writeHead(200, { "Content-Type": "application/zip", "Content-Length": data.length });
  response.write(data.subarray(0, Math.floor(data.length / 2)), () => request.socket.destroy());
  return undefined;
});
const sockets = new Set();
server.on("connection", (socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});
server.on("upgrade", (request, socket) => {
  if (state.noWebsocket) return socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  if (!/^\/api\/([^/]+\/)?sync$/.test(request.url)) return socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  return subscriptions(socket);
});

function frames(socket, take) {
  let rest = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    for (rest = Buffer.concat([rest, chunk]); rest.length > 1; ) {
      const short = rest[1] & 0x7f;
      const at = 2 + { 126: 2, 127: 8 }[short] || 2;
      if (rest.length < at) return;
      const length = short === 126 ? rest.readUInt16BE(2) : short === 127 ? Number(rest.readBigUInt64BE(2)) : short;
      if (rest.length < at + 4 + length) return;
      const mask = rest.subarray(at, at + 4);
      const text = rest.subarray(at + 4, at + 4 + length).map((byte, index) => byte ^ mask[index % 4]);
      if ((rest[0] & 0x0f) === 8) socket.end();
      if ((rest[0] & 0x0f) === 1) take(JSON.parse(Buffer.from(text)));
      rest = rest.subarray(at + 4 + length);
    }
  });
  return (message) => {
    const text = Buffer.from(JSON.stringify(message));
    const head = Buffer.from(text.length < 126 ? [0x81, text.length] : [0x81, 126, text.length >> 8, text.length & 0xff]);
    if (!socket.writableEnded) socket.write(Buffer.concat([head, text]));
  };
}

// Queries that are subscribed to: their values now, and again whenever they change.
function subscriptions(socket) {
  const asked = new Map();
  const version = { querySet: 0, identity: 0, ts: 0 };
  let good = false;
  const shown = () => {
    const ts = Buffer.alloc(8);
    ts.writeUInt32LE(version.ts);
    return { ...version, ts: ts.toString("base64") };
  };
  const send = frames(socket, (message) => {
    const before = shown();
    if (message.type === "Authenticate") {
      version.identity = message.baseVersion + 1;
      good = opens(message.value ?? "");
      if (!good) return send({ type: "FatalError", error: "BadDeployKey: The provided deploy key was invalid" });
      return transition(before);
    }
    if (message.type !== "ModifyQuerySet") return undefined;
    version.querySet = message.newVersion;
    for (const { type, queryId, udfPath, args } of message.modifications) {
      if (type === "Add") asked.set(queryId, { path: udfPath.replace(/:default$/, ""), args: args?.[0] ?? {} });
      else asked.delete(queryId);
    }
    return transition(before);
  });
  const transition = (before) => {
    const modifications = [];
    for (const [queryId, one] of good ? asked : []) {
      const query = queries[one.path];
      const value = query?.(one.args);
      if (JSON.stringify(value) === one.told && query) continue;
      one.told = JSON.stringify(value);
      state.requests.push(`websocket ${one.path}`);
      const more = { queryId, logLines: [], journal: null };
      modifications.push(query ? { type: "QueryUpdated", value, ...more } : { type: "QueryFailed", errorMessage: `no query ${one.path}`, ...more });
      if (!query) asked.delete(queryId);
    }
    version.ts += 1;
    send({ type: "Transition", startVersion: before, endVersion: shown(), modifications });
  };
  const timer = setInterval(() => good && transition(shown()), 100);
  socket.on("close", () => clearInterval(timer));
  socket.on("error", () => clearInterval(timer));
}

process.on("SIGTERM", () => process.exit(0));
process.on("SIGINT", () => process.exit(0));
server.listen(Number(process.env.PORT ?? 0), () => console.log(server.address().port));
