// A backend that trusts whoever calls it: it answers with what it was asked, and remembers that it was asked.
//
//   node backend.mjs      # prints the port that it listens on
//
// Asked for /_seen it tells what it was asked for; that is for the test, which is not behind the proxy.
import http from "node:http";
import { createHash } from "node:crypto";

const seen = [];
const waiting = [];

const server = http.createServer(async (request, response) => {
  if (request.url === "/_seen") {
    response.end(JSON.stringify(seen));
    return;
  }
  if (request.url === "/_go-on") {
    for (const goOn of waiting.splice(0)) goOn();
    response.end();
    return;
  }
  seen.push(`${request.method} ${request.url}`);
  if (request.url.endsWith("/stream")) {
    // The second half comes only when the test has the first.
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("data: first\n\n");
    await new Promise((goOn) => waiting.push(goOn));
    response.end("data: second\n\n");
    return;
  }
  const body = [];
  try {
    for await (const part of request) body.push(part);
  } catch {
    // Whoever called has gone in the midst of it.
    response.destroy();
    return;
  }
  const headers = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    headers.push([request.rawHeaders[at].toLowerCase(), request.rawHeaders[at + 1]]);
  }
  const status = request.url.endsWith("/forbidden") ? 403 : 200;
  response.writeHead(status, { "Content-Type": "application/json", "X-Backend": "yes" });
  const echo = { method: request.method, path: request.url, headers, body: Buffer.concat(body).toString("latin1") };
  response.end(JSON.stringify(echo));
});

// A WebSocket that says a word and sends back what it gets, as it came.
server.on("upgrade", (request, socket) => {
  seen.push(`${request.method} ${request.url}`);
  const accept = createHash("sha1")
    .update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    .digest("base64");
  const who = request.headers["x-auth-key-id"] ?? "";
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\nX-Who: ${who}\r\n\r\n`,
  );
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
// Whoever started it is gone when nothing can come from there any more.
process.stdin.on("end", () => process.exit()).resume();
