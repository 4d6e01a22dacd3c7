// The admin's HTTP API of a Convex backend, as backup and restore use it. Nothing but what Node.js 22 has.

import { setTimeout as sleep } from "node:timers/promises";

const ANSWER_MS = 120_000;
const ATTEMPTS = 5;

/** What ends a run: one line for the log and for `kubectl describe pod`. */
export class Failure extends Error {}

/** The variable's value. Without one the run ends, with `remedy`. */
export function needed(name, remedy = "the manifest sets it") {
  const value = process.env[name];
  if (!value) throw new Failure(`${name} is not set: ${remedy}`);
  return value;
}

/** Milliseconds between two looks at what the server does. */
export const pollMs = Number(process.env.POLL_MS ?? 3000);

export class ConvexApi {
  #key;

  constructor(url, key) {
    this.url = url.replace(/\/$/, "");
    this.#key = key.trim();
  }

  /** Send a request and return the response, whatever its status. Connections that fail are tried again. */
  async request(method, path, { body, type = "application/json", admin = true, patience = ANSWER_MS } = {}) {
    const headers = { ...(body === undefined ? {} : { "Content-Type": type }) };
    if (admin) headers.Authorization = `Convex ${this.#key}`;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const signal = patience ? AbortSignal.timeout(patience) : undefined;
        const response = await fetch(this.url + path, { method, body, headers, signal });
        if (response.status < 502 || response.status > 504 || attempt === ATTEMPTS) return response;
        await response.body?.cancel();
      } catch (error) {
        if (attempt === ATTEMPTS) {
          throw new Failure(`${this.url} does not answer (${error.cause?.code ?? error.cause?.message ?? error.message})`);
        }
      }
      await sleep(Math.min(pollMs, 1000) * attempt);
    }
  }

  /** Send a request and return its JSON; null for an empty answer. Any status but 200 ends the run. */
  async json(method, path, options = {}) {
    const response = await this.request(method, path, options);
    const text = await response.text();
    if (!response.ok) throw await refusal(path, response, text);
    try {
      return text.trim() ? JSON.parse(text) : null;
    } catch {
      throw new Failure(`${path} answered something that is not JSON: is ${this.url} a Convex backend?`);
    }
  }

  /** Run a system query and return its value. */
  async query(path, args) {
    const answer = await this.json("POST", "/api/query", { body: JSON.stringify({ path, args, format: "json" }) });
    if (answer?.status !== "success") throw new Failure(`the query ${path} failed: ${answer?.errorMessage ?? "no reason given"}`);
    return answer.value;
  }

  /** The instance's name, checked against the expected one, and that the key opens it. */
  async instance(expected) {
    const response = await this.request("GET", "/instance_name", { admin: false });
    const name = (await response.text()).trim();
    if (!response.ok || !/^[A-Za-z][A-Za-z0-9_-]*$/.test(name)) {
      throw new Failure(`${this.url}/instance_name answered ${response.status} and no instance name: is it a Convex backend?`);
    }
    if (expected && name !== expected) throw new Failure(`${this.url} is the instance ${name}, and not ${expected}`);
    const check = await this.json("GET", "/api/check_admin_key");
    if (check?.isReadOnly) throw new Failure("the admin key is read-only: backups need a full one");
    return name;
  }
}

/** What an error status means, as a failure to be thrown. The answer's text is shown only where it names an error code. */
export async function refusal(path, response, text) {
  const code = errorCode(text);
  if (response.status === 401 || response.status === 403) {
    return new Failure(`the backend refused the admin key (${response.status}${code ? `, ${code}` : ""}): make it anew with \`python3 main.py secrets\``);
  }
  return new Failure(`${path.replace(/\?.*/, "")} answered ${response.status}${code ? ` (${code})` : ""}`);
}

/** The error code that the backend sends; empty where the text holds none. */
export function errorCode(text) {
  try {
    const code = JSON.parse(text).code;
    return typeof code === "string" ? code : "";
  } catch {
    return "";
  }
}

/** Write a line to the log. */
export function log(text) {
  console.log(`${new Date().toISOString().slice(0, 19)}Z ${text}`);
}

/** `12.3 MB` for a number of bytes. */
export function bytes(number) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let amount = number;
  for (; amount >= 1000 && unit < units.length - 1; unit += 1) amount /= 1000;
  return `${unit ? amount.toFixed(1) : amount} ${units[unit]}`;
}

/** Run a program to its end: 0, or 1 with the reason as the last line. No secret is in it. */
export async function main(program) {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      console.error(`stopped by ${signal}`);
      process.exit(143);
    });
  }
  try {
    await program();
  } catch (error) {
    const full = error.code === "ENOSPC" ? "the disk is full: " : "";
    console.error(`failed: ${full}${error instanceof Failure || error.code ? error.message : error.stack}`);
    process.exit(1);
  }
}
