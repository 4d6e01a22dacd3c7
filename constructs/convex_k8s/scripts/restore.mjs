// Uploads a backup to a Convex instance and stops where the server asks for confirmation: nothing is replaced by this.
// `python3 main.py restore` shows what the server says, asks, and confirms or cancels.
//
//   CONVEX_URL, CONVEX_SELF_HOSTED_ADMIN_KEY, INSTANCE_NAME   as for backup.mjs; the instance that is restored into
//   FOLDER            has snapshot.zip, or <instance>/<UTC time>.zip where RESTORE_FROM names one
//   RESTORE_FROM      <UTC time>.zip, <instance>/<UTC time>.zip, or latest
//   SOURCE_INSTANCE   the instance whose backups `latest` and a bare name mean
//
// The last line of the log is JSON: {"importId": …}.

import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { bytes, ConvexApi, Failure, log, main, needed } from "./convex_api.mjs";
import { checkSnapshot } from "./snapshot.mjs";

const PART_BYTES = Number(process.env.PART_BYTES ?? 16 * 1024 * 1024);
const MOST_PARTS = 9_999;
const NAME = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}Z\.zip$/;

async function found(folder) {
  const fetched = join(folder, "snapshot.zip");
  if (await exists(fetched)) return fetched;
  const asked = needed("RESTORE_FROM", "`python3 main.py restore <overlay> --from latest` starts this Job");
  const instance = process.env.SOURCE_INSTANCE;
  if (asked !== "latest") return join(folder, ...(asked.includes("/") ? [] : [instance]), asked);
  const names = (await exists(join(folder, instance))) ? await readdir(join(folder, instance)) : [];
  const newest = names.filter((name) => NAME.test(name)).sort().pop();
  if (!newest) throw new Failure(`there is no backup of ${instance} on the claim`);
  return join(folder, instance, newest);
}

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function upload(convex, path, size) {
  const part = Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
  const { uploadToken } = (await convex.json("POST", "/api/import/start_upload")) ?? {};
  if (!uploadToken) throw new Failure("the server gave no upload token");
  const partTokens = [];
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(part);
    for (let sent = 0; sent < size; ) {
      const { bytesRead } = await file.read(buffer, 0, part, sent);
      if (!bytesRead) throw new Failure("the ZIP became shorter while it was sent");
      const route = `/api/import/upload_part?uploadToken=${encodeURIComponent(uploadToken)}&partNumber=${partTokens.length + 1}`;
      const body = buffer.subarray(0, bytesRead);
      partTokens.push(await convex.json("POST", route, { body, type: "application/octet-stream", patience: 600_000 }));
      sent += bytesRead;
      log(`uploaded ${bytes(sent)} of ${bytes(size)}`);
    }
  } finally {
    await file.close();
  }
  const body = JSON.stringify({ import: { format: "zip", mode: "replaceAll" }, uploadToken, partTokens });
  const { importId } = (await convex.json("POST", "/api/import/finish_upload", { body })) ?? {};
  if (!importId) throw new Failure("the server gave no import id");
  return importId;
}

await main(async () => {
  const remedy = "make its Secret with `python3 main.py secrets <overlay> --apply`";
  const convex = new ConvexApi(needed("CONVEX_URL"), needed("CONVEX_SELF_HOSTED_ADMIN_KEY", remedy));
  const path = await found(needed("FOLDER"));
  if (!(await exists(path))) throw new Failure(`there is no backup ${process.env.RESTORE_FROM}`);
  const { tables, size } = await checkSnapshot(path);
  log(`checked: ${bytes(size)}, ${tables.length} tables`);
  log(`into the instance ${await convex.instance(process.env.INSTANCE_NAME)} at ${convex.url}`);
  console.log(JSON.stringify({ importId: await upload(convex, path, size) }));
});
