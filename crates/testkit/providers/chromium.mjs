// Headless Chromium, as the browser of people. Each walk and each tab has cookies of its own.
//
// Settings: { executable, profile (a folder) }
//
// POST /_test/walk takes { url, fields: { name: value }, until }: it opens the URL, fills in every form that has one of the fields and
// sends it off, until it is at `until` or was refused. It returns { url, text, navigations: [{ method, url, status }] }, the last of
// which is where it is.
//
// POST /_test/open takes the settings of `tab.mjs` and returns the number of a new tab. POST /_test/use takes
// { tab, verb, with: [...] }, has the tab do that, and returns what it returns.
//
// GET /elsewhere?to=URL is a page with a link to there, on whichever site it is asked for: `localhost` or `127.0.0.1`.

import puppeteer from 'puppeteer-core';

import { escaped, serve, settings } from './program.mjs';
import { Tab } from './tab.mjs';

/** How long a walk may take, or one thing that is done in a tab. A machine with much else to do is slow. */
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

const tabs = [];

const open = async (how) => tabs.push(await Tab.open(browser, how)) - 1;

/** What comes of it, or an error if that takes too long. */
async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, failed) => {
    timer = setTimeout(() => failed(new Error('it takes too long')), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function use({ tab: number, verb, with: given }) {
  const tab = tabs[number];
  try {
    return await within(PATIENCE, tab[verb](...given));
  } catch (error) {
    const where = await within(PATIENCE / 10, tab.described()).catch(() => 'a page that does not answer');
    throw new Error(`${verb}(${JSON.stringify(given).slice(1, -1)}): ${error.message}\nat ${where}`);
  }
}

function elsewhere(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname !== '/elsewhere') response.statusCode = 404;
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><title>Elsewhere</title><a href="${escaped(searchParams.get('to') ?? '')}">Go there</a>`);
}

/** What is of no use to a test, and may ask for a network or a screen that is not there. */
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-gpu', '--disable-sync', '--no-first-run'];

await serve({ open, use, walk }, async () => {
  browser = await puppeteer.launch({
    executablePath: settings.executable,
    userDataDir: settings.profile,
    // It ends with whoever holds the other end.
    pipe: true,
    // Its sandbox does not start as root, as whom CI runs in a container.
    args: process.getuid() === 0 ? [...QUIET, '--no-sandbox'] : QUIET,
  });
  return elsewhere;
});
