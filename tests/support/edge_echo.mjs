// A backend behind an edge: says on which port a request came in, for which path, with which headers, and how long its
// body was. A websocket gets what it sends back.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function serve(port) {
  const server = createServer((request, response) => {
    let length = 0;
    request.on("data", (some) => (length += some.length));
    request.on("end", () => {
      const { method, url: path, headers } = request;
      const metrics = path === "/metrics" ? "secret_metrics 1" : "";
      const wait = Number(/^\/api\/wait\/(\d+)/.exec(path)?.[1] ?? 0);
      setTimeout(() => response.end(JSON.stringify({ port, method, path, headers, length, metrics })), wait * 1000);
    });
  });
  server.on("upgrade", (request, socket) => {
    const key = createHash("sha1").update(request.headers["sec-websocket-key"] + ACCEPT).digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    socket.write([...head, `Sec-WebSocket-Accept: ${key}`, "", ""].join("\r\n"));
    socket.on("data", (frame) => {
      // A short text frame with a mask, and the same without.
      const length = frame[1] & 127;
      const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, index) => byte ^ frame[2 + (index % 4)]));
      socket.write(Buffer.concat([Buffer.from([129, length]), text]));
    });
    socket.on("error", () => socket.destroy());
  });
  server.listen(port, "0.0.0.0");
}

for (const port of (process.env.ECHO_PORTS ?? "3210 3211").split(" ")) serve(Number(port));
process.on("SIGINT", () => process.exit(0));
