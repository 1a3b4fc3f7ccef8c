// What the programs here have in common: settings in, a port out, and an end with whoever started them.

import { createServer } from 'node:http';

/** The settings: JSON in the first argument. */
export const settings = JSON.parse(process.argv[2] ?? '{}');

const host = settings.host ?? '127.0.0.1';
const MachineDate = Date;
let ahead = 0;

/** Sets the clock of this program, in milliseconds since the epoch: tests have a time of their own. */
export function setTime(milliseconds) {
  ahead = milliseconds - MachineDate.now();
}

globalThis.Date = class extends MachineDate {
  constructor(...parts) {
    if (parts.length) super(...parts);
    else super(MachineDate.now() + ahead);
  }

  static now() {
    return MachineDate.now() + ahead;
  }
};

if (settings.time !== undefined) setTime(settings.time);

/** Text, to stand in HTML. */
export const escaped = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

/** The text that was sent. */
export async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

/**
 * Listens on a free port and says which. `start` gets the origin and returns the handler of requests; `controls` are what tests
 * may POST to, below `/_test/`.
 */
export async function serve(controls, start) {
  let handle;
  const server = createServer(async (request, response) => {
    try {
      const control = request.url.startsWith('/_test/') && controls[request.url.slice('/_test/'.length)];
      if (control) {
        const answer = (await control(JSON.parse((await bodyOf(request)) || 'null'))) ?? null;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(answer));
      } else {
        await handle(request, response);
      }
    } catch (error) {
      console.error(error);
      response.statusCode = 500;
      response.end(error.message);
    }
  });
  await new Promise((listening) => server.listen(0, host, listening));
  const { port } = server.address();
  handle = await start(`http://${host}:${port}`);
  console.log(`listening on ${port}`);

  // The other end of the pipe closes with the test, however that ends. `process.exit` waits for threads of Node.js, which now and
  // then wait for each other.
  process.stdin.resume();
  process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
}
