// Exports a Convex instance into a folder: `backup.mjs export` asks for it, waits, downloads and checks the ZIP;
// `backup.mjs finish` lets the server's own copy go.
//
//   CONVEX_URL                     the backend, inside the cluster
//   CONVEX_SELF_HOSTED_ADMIN_KEY   a full admin key
//   INSTANCE_NAME                  the instance that it must be (optional)
//   INCLUDE_FILES                  true: with the users' files
//   FOLDER                         the ZIP becomes <FOLDER>/<instance>/<UTC time>.zip
//   KEEP_COUNT, KEEP_DAYS          what is kept there; neither: nothing is removed (rclone does that in the bucket)
//
// Until it is checked the ZIP has the ending .incomplete. No secret is printed.

import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { bytes, ConvexApi, Failure, errorCode, log, main, needed, pollMs, refusal } from "./convex_api.mjs";
import { checkSnapshot } from "./snapshot.mjs";

const LATEST = "_system/cli/exports:getLatest";
const RUNNING = ["requested", "in_progress"];
const DOWNLOADS = 3;
const SERVER_KEEPS_MS = 3_600_000;
const NAME = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z\.zip$/;
const UNFINISHED = ".incomplete";

const noKey = "make its Secret with `python3 main.py secrets <overlay> --apply`";

async function exportAll() {
  const convex = new ConvexApi(needed("CONVEX_URL"), needed("CONVEX_SELF_HOSTED_ADMIN_KEY", noKey));
  const folder = needed("FOLDER");
  const name = await convex.instance(process.env.INSTANCE_NAME);
  log(`instance ${name} at ${convex.url}`);
  await mkdir(join(folder, name), { recursive: true });
  await clear(join(folder, name));
  const id = await finished(convex, await requested(convex));
  const time = stamp(Date.now());
  const path = join(folder, name, `${time}.zip`);
  await download(convex, id, path + UNFINISHED);
  const { entries, tables, size } = await checkSnapshot(path + UNFINISHED);
  await sync(path + UNFINISHED);
  await rename(path + UNFINISHED, path);
  log(`checked: ${bytes(size)}, ${entries} entries, ${tables.length} tables (${tables.slice(0, 5).join(", ")}${tables.length > 5 ? ", …" : ""})`);
  if (process.env.KEEP_COUNT || process.env.KEEP_DAYS) {
    await prune(join(folder, name));
    await letGo(convex, id);
    log(`done: ${name}/${time}.zip`);
  } else {
    await writeFile(join(folder, "export-id"), id);
  }
}

/** Ask for an export and return its id. Another one that runs is waited for: the server makes one at a time. */
async function requested(convex) {
  for (;;) {
    const before = await convex.query(LATEST, {});
    if (RUNNING.includes(before?.state)) {
      log("another export runs: waiting for its end");
      await sleep(pollMs);
      continue;
    }
    const path = `/api/export/request/zip?includeStorage=${process.env.INCLUDE_FILES === "true"}`;
    const response = await convex.request("POST", path);
    const text = await response.text();
    if (!response.ok && errorCode(text) === "ExportInProgress") {
      await sleep(pollMs);
      continue;
    }
    if (!response.ok) throw await refusal(path, response, text);
    for (let look = 0; look < 10; look += 1) {
      const now = await convex.query(LATEST, {});
      if (now?._id && now._id !== before?._id) return now._id;
      await sleep(pollMs);
    }
    throw new Failure("the server took the request for an export and shows none");
  }
}

/** Wait for the export's end and return its id. */
async function finished(convex, id) {
  let told = "";
  for (;;) {
    const latest = await convex.query(LATEST, {});
    // One runs at a time: where a later one is there, ours has ended.
    if (latest?._id !== id || latest.state === "completed") return id;
    if (!RUNNING.includes(latest.state)) throw new Failure(`the server's export ended as ${latest.state}`);
    const progress = latest.progress_message ?? latest.state;
    if (progress !== told) log(`export: ${progress}`);
    told = progress;
    await sleep(pollMs);
  }
}

async function download(convex, id, path) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await downloadOnce(convex, id, path);
    } catch (error) {
      await rm(path, { force: true });
      if (attempt === DOWNLOADS || error.code === "ENOSPC" || error.fatal) throw error;
      log(`the download failed (${error.message}): once more`);
      await sleep(pollMs);
    }
  }
}

async function downloadOnce(convex, id, path) {
  const route = `/api/export/zip/${encodeURIComponent(id)}`;
  const response = await convex.request("GET", route, { patience: 0 });
  if (!response.ok) throw await refusal(route, response, await response.text());
  const length = Number(response.headers.get("content-length"));
  if (!length) throw new Failure("the server does not say how long the ZIP is");
  const { bavail, bsize } = await statfs(join(path, ".."));
  if (length > bavail * bsize) {
    await response.body.cancel();
    const why = `the ZIP has ${bytes(length)}, and the volume has ${bytes(bavail * bsize)} left`;
    throw Object.assign(new Failure(why), { fatal: true });
  }
  log(`downloading ${bytes(length)}`);
  const file = await open(path, "w");
  let received = 0;
  try {
    for await (const chunk of response.body) {
      await file.writeFile(chunk);
      received += chunk.length;
    }
  } catch (error) {
    if (error.code === "ENOSPC") throw error;
    throw new Failure(`cut off after ${bytes(received)} of ${bytes(length)}`);
  } finally {
    await file.close();
  }
  if (received !== length) throw new Failure(`${bytes(received)} came, and ${bytes(length)} were announced`);
}

async function sync(path) {
  const file = await open(path, "r+");
  await file.sync();
  await file.close();
}

/** Remove what a run that was killed has left. */
async function clear(folder) {
  for (const name of await readdir(folder)) {
    if (name.endsWith(UNFINISHED)) await rm(join(folder, name));
  }
}

/** Remove the oldest backups, never the newest one. */
async function prune(folder) {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  for (const name of tooOld(names.slice(0, -1))) {
    await rm(join(folder, name));
    log(`removed ${name}`);
  }
}

/** Those of the names, all but the newest, that are not kept. */
function tooOld(names) {
  if (!process.env.KEEP_DAYS) return names.slice(0, Math.max(0, names.length + 1 - Number(process.env.KEEP_COUNT)));
  const since = stamp(Date.now() - Number(process.env.KEEP_DAYS) * 86_400_000);
  return names.filter((name) => name < `${since}.zip`);
}

/** A time as names have it: `2026-01-31T03-00-00Z`. */
function stamp(milliseconds) {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replaceAll(":", "-")}Z`;
}

/** Tell the server to drop its copy in an hour, instead of after 14 days. The backup is whole without that. */
async function letGo(convex, id) {
  const nanoseconds = BigInt(Date.now() + SERVER_KEEPS_MS) * 1_000_000n;
  try {
    const body = `{"expirationTsNs":${nanoseconds}}`;
    await convex.json("POST", `/api/export/set_expiration/${encodeURIComponent(id)}`, { body });
  } catch (error) {
    log(`note: the server keeps its copy for 14 days (${error.message})`);
  }
}

async function finish() {
  const folder = needed("FOLDER");
  const convex = new ConvexApi(needed("CONVEX_URL"), needed("CONVEX_SELF_HOSTED_ADMIN_KEY", noKey));
  await stat(join(folder, "uploaded"));
  await letGo(convex, (await readFile(join(folder, "export-id"), "utf8")).trim());
  log(`done: ${(await readFile(join(folder, "uploaded"), "utf8")).trim()}`);
}

await main(process.argv[2] === "finish" ? finish : exportAll);
