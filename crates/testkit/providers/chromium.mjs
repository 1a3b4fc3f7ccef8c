// Headless Chromium, as the browser of people who sign in. Each walk has cookies of its own.
//
// Settings: { executable, profile (a folder) }
//
// POST /_test/walk takes { url, fields: { name: value }, until }: it opens the URL, fills in every form that has one of the fields and
// sends it off, until it is at `until` or was refused. It returns { url, text, navigations: [{ method, url, status }] }, the last of
// which is where it is.

import puppeteer from 'puppeteer-core';

import { serve, settings } from './program.mjs';

/** How long a walk may take. A machine with much else to do is slow. */
const PATIENCE = 120_000;

let browser;

async function fillIn(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const input = await page.$(`form input[name="${name}"]:not([type="hidden"])`);
    if (input) await input.type(value);
  }
  await page.click('form button');
}

/** Whether there is a form on the page for any of the fields. */
const hasForm = (page, fields) =>
  page.evaluate(
    (names) => names.some((name) => document.querySelector(`form input[name="${name}"]:not([type="hidden"])`)),
    Object.keys(fields),
  );

async function walk({ url, fields, until }) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const navigations = [];
  page.on('response', (response) => {
    const request = response.request();
    if (!request.isNavigationRequest() || request.frame() !== page.mainFrame()) return;
    navigations.push({ method: request.method(), url: response.url(), status: response.status() });
  });
  try {
    await new Promise((arrived, failed) => {
      const late = setTimeout(() => failed(new Error(`still at ${page.url()}`)), PATIENCE);
      page.on('domcontentloaded', async () => {
        try {
          if (page.url() === until || navigations.at(-1)?.status >= 400) {
            clearTimeout(late);
            arrived();
          } else if (await hasForm(page, fields)) {
            await fillIn(page, fields);
          }
        } catch (error) {
          // A page that goes on by itself may be gone before it was looked at.
          if (!/context|detached|navigat/i.test(error.message)) failed(error);
        }
      });
      page.goto(url).catch((error) => {
        if (!/ERR_ABORTED|detached|navigat/i.test(error.message)) failed(error);
      });
    });
    const text = await page.evaluate(() => document.body.innerText);
    return { url: page.url(), text, navigations };
  } finally {
    await context.close();
  }
}

await serve({ walk }, async () => {
  browser = await puppeteer.launch({
    executablePath: settings.executable,
    userDataDir: settings.profile,
    // It ends with whoever holds the other end.
    pipe: true,
    // Its sandbox does not start as root, as whom CI runs in a container.
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
  return (_, response) => {
    response.statusCode = 404;
    response.end();
  };
});
