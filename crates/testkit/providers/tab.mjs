// A tab of Chromium with cookies of its own, used as people use it: what they fill in and press goes by the names that they are told, by
// sight or by a screen reader.
//
// Settings: { javascript, width, height, dark }. Less than 600 wide it is a phone.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

import axe from 'axe-core';

/** What can be filled in. */
const FIELD = 'input:not([type="submit"], [type="button"], [type="image"]), textarea, select';
/** What can be pressed. */
const BUTTON = 'a[href], button, summary, input[type="submit"], input[type="button"], input[type="image"]';
/** What takes no typing that would be the same everywhere. */
const PICKED = ['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range'];

/** Whether a page could not be asked because another has come. */
const isGone = (error) => /context|detached|navigat|collected|No frame/i.test(error.message);

/** Whether a browser asks for this icon unbidden, and not each time. */
const isUnbidden = (url) => url.endsWith('/favicon.ico');

/** What a page tells of itself for as long as the tab is open: what it waits for, what came, and what went wrong. */
class Traffic {
  troubles = [];
  /** Bytes that came since this was last set to 0. */
  weight = 0;
  #client;
  /** Which frames are going elsewhere: first that is decided, then done. */
  #leaving = new Set();
  /** What was asked for and has not come: the URL, and for which document. */
  #pending = new Map();
  /** The status of what each frame shows. */
  #statuses = new Map();
  #changed = () => {};

  static async of(page) {
    const traffic = new Traffic();
    traffic.#client = await page.createCDPSession();
    traffic.#follow();
    traffic.#complain();
    for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await traffic.send(`${domain}.enable`);
    return traffic;
  }

  #on(name, act) {
    this.#client.on(name, (event) => {
      act(event);
      this.#changed();
    });
  }

  #follow() {
    // A page that is to be asked for again after a while is there until then.
    const begin = (what) => ({ frameId, delay }) => delay || this.#leaving.add(what + frameId);
    const end = (what) => ({ frameId }) => this.#leaving.delete(what + frameId);
    this.#on('Page.frameScheduledNavigation', begin('to leave '));
    this.#on('Page.frameClearedScheduledNavigation', end('to leave '));
    this.#on('Page.frameStartedLoading', begin('to load '));
    this.#on('Page.frameStoppedLoading', end('to load '));
    this.#on('Page.frameDetached', end('to leave '));
    this.#on('Page.frameDetached', end('to load '));
    this.#on('Page.frameNavigated', ({ frame }) => {
      // Under load it is not always said that it has left.
      end('to leave ')({ frameId: frame.id });
      // Not all that a page had asked for is said to have failed when it is left.
      if (frame.parentId) return;
      for (const [id, { loaderId }] of this.#pending) if (loaderId !== frame.loaderId) this.#pending.delete(id);
    });
    this.#on('Network.requestWillBeSent', ({ requestId, loaderId, type, request, redirectResponse }) => {
      this.weight += redirectResponse?.encodedDataLength ?? 0;
      // A stream has no end to wait for.
      if (type !== 'EventSource') this.#pending.set(requestId, { loaderId, url: request.url });
    });
    this.#on('Network.responseReceived', ({ requestId, loaderId, frameId, response }) => {
      if (requestId === loaderId) this.#statuses.set(frameId, response.status);
    });
    this.#on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      if (!isUnbidden(this.#pending.get(requestId)?.url ?? '')) this.weight += encodedDataLength;
      this.#pending.delete(requestId);
    });
    this.#on('Network.loadingFailed', ({ requestId, errorText, canceled, blockedReason }) => {
      const url = this.#pending.get(requestId)?.url;
      this.#pending.delete(requestId);
      // What a policy forbids is told in words of its own; what was given up, as when a page is left, is no trouble.
      if (url && !canceled && !blockedReason && errorText !== 'net::ERR_ABORTED') this.troubles.push(`${url}: ${errorText}`);
    });
  }

  #complain() {
    const trouble = (...words) => this.troubles.push(words.join(' ').trim());
    this.#on('Network.responseReceived', ({ type, response: { status, url } }) => {
      // Pages, and what scripts ask for, may be refused for a reason.
      const isRefusable = ['Document', 'XHR', 'Fetch'].includes(type) || isUnbidden(url);
      if (status >= 400 && !isRefusable) trouble(`${url}:`, status);
    });
    this.#on('Runtime.exceptionThrown', ({ exceptionDetails: { text, exception } }) => trouble(text, exception?.description));
    this.#on('Runtime.consoleAPICalled', ({ type, args }) => {
      if (type === 'error' || type === 'assert') trouble(...args.map((arg) => arg.value ?? arg.description));
    });
    // What violates the Content-Security-Policy is told here, and where scripts are off nowhere else.
    this.#on('Log.entryAdded', ({ entry: { source, level, text } }) => {
      if (level === 'error' && source !== 'network') trouble(text);
    });
  }

  send(command, argument) {
    return this.#client.send(command, argument);
  }

  /**
   * Asks the page, which has told by then whatever it had to tell before. That is in a world of its own, in which scripts run even
   * where those of the page do not.
   */
  async ask(question, ...given) {
    const { frameTree } = await this.send('Page.getFrameTree');
    const world = await this.send('Page.createIsolatedWorld', { frameId: frameTree.frame.id, worldName: 'tests' });
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      contextId: world.executionContextId,
      expression: `(${question})(...${JSON.stringify(given)})`,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** The status of what is shown. */
  async status() {
    const { frameTree } = await this.send('Page.getFrameTree');
    return this.#statuses.get(frameTree.frame.id);
  }

  /** Waits for whatever is told next. */
  next() {
    return new Promise((told) => {
      this.#changed = told;
    });
  }

  /** What is waited for. */
  get awaited() {
    return [...this.#leaving, ...[...this.#pending.values()].map(({ url }) => url)];
  }
}

/**
 * In the page: which of the elements is meant, by its place among them. It is of a kind, and nearest to a text if there is one; links
 * that lead to one place are as good as one.
 */
function meant(kind, near, ...elements) {
  const distance = (element) => {
    let around = element;
    while (near !== null && around && !around.innerText?.includes(near)) around = around.parentElement;
    return near === null ? 0 : (around?.querySelectorAll('*').length ?? Infinity);
  };
  // The page itself goes by the name of its title, and is no element.
  const ofKind = elements.filter((element) => element.matches?.(kind));
  const distances = new Map(ofKind.map((element) => [element, distance(element)]));
  const least = Math.min(...distances.values());
  const nearest = least < Infinity ? [...distances.keys()].filter((element) => distances.get(element) === least) : [];
  const isOne = nearest.every((element) => element === nearest[0] || (element.href && element.href === nearest[0].href));
  return { count: nearest.length, at: isOne ? elements.indexOf(nearest[0]) : -1 };
}

/** In the page: whether htmx is at work, once there is nothing else to do: what has just come in may lead to more. */
const isBusy = () =>
  new Promise((asked) => {
    const look = () => asked(document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling') !== null);
    requestIdleCallback(look, { timeout: 100 });
  });

/** In the page: waits for a text. */
const appearance = (text) =>
  new Promise((appeared) => {
    const look = () => document.body?.innerText.includes(text) && appeared();
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
  });

/** In the page: what it has of a kind. */
const namesOf = (kind) =>
  [...document.querySelectorAll(kind)]
    .filter((element) => element.checkVisibility())
    .map((element) => (element.ariaLabel ?? element.labels?.[0]?.innerText ?? (element.innerText || element.value)).trim())
    .join(' | ');

/**
 * In the page: what sticks out of a width, but for what is in something that scrolls by itself, or cuts off. Of each the whole, and the
 * part that reaches farthest.
 */
function stickingOut(width) {
  const isKept = (element) => {
    for (let around = element; around && around !== document.body; around = around.parentElement) {
      if (getComputedStyle(around).overflowX !== 'visible') return true;
      if (getComputedStyle(around).position === 'fixed') return false;
    }
    return false;
  };
  const found = new Map();
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const node = nodes.currentNode;
    const isText = node.nodeType === Node.TEXT_NODE;
    const element = isText ? node.parentElement : node;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, right, height } = (isText ? range : element).getBoundingClientRect();
    // What is wholly to the left cannot be scrolled to: it is hidden there.
    const isOut = height > 0 && right > 0 && (right > width + 1 || left < -1);
    if (isOut && !isKept(isText ? element : element.parentElement)) found.set(element, { left, right });
  }
  const elements = [...found.keys()];
  const name = (element) => [element.localName, ...element.classList].join('.');
  return elements
    .filter((whole) => !elements.some((other) => other !== whole && other.contains(whole)))
    .map((whole) => {
      const parts = elements.filter((part) => whole.contains(part));
      const farthest = parts.reduce((one, other) => (found.get(other).right >= found.get(one).right - 8 ? other : one));
      const { left, right } = found.get(farthest);
      const names = [...new Set([name(whole), name(farthest)])].join(' … ');
      return `${names} from ${Math.round(left)} to ${Math.round(right)} of ${width}: ${farthest.textContent.trim().slice(0, 60)}`;
    });
}

export class Tab {
  #context;
  #page;
  #traffic;
  #settings;

  static async open(browser, settings) {
    const tab = new Tab();
    tab.#settings = settings;
    tab.#context = await browser.createBrowserContext();
    const page = (tab.#page = await tab.#context.newPage());
    const { width, height } = settings;
    await page.setViewport({ width, height, isMobile: width < 600 });
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: settings.dark ? 'dark' : 'light' },
      // What moves is not where it was looked for, and not yet in its colors.
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ]);
    await page.setJavaScriptEnabled(settings.javascript);
    page.on('dialog', (dialog) => dialog.accept());
    tab.#traffic = await Traffic.of(page);
    await tab.#traffic.send('Emulation.setFocusEmulationEnabled', { enabled: true });
    await tab.#traffic.send('Browser.grantPermissions', {
      permissions: ['clipboardReadWrite', 'clipboardSanitizedWrite'],
      browserContextId: tab.#context.id,
    });
    return tab;
  }

  /** Where it is, what it waits for and what can be read, for somebody who wonders what went wrong. */
  async described() {
    return `${this.url()}, awaiting ${JSON.stringify(this.#traffic.awaited)}, showing:\n${await this.text()}`;
  }

  async close() {
    await this.#context.close();
  }

  async goto(url) {
    await this.#page.goto(url, { timeout: 0 });
    await this.#settle();
  }

  async fill(label, value) {
    const field = await this.#named(label, FIELD);
    const type = await field.evaluate((element) => (element.disabled || element.readOnly ? 'locked' : element.type));
    if (type === 'locked') throw new Error(`“${label}” cannot be filled in`);
    if (type.startsWith('select')) {
      const options = await field.evaluate((select) => [...select.options].map((option) => [option.text, option.value]));
      const option = options.find(([text]) => text === value);
      if (!option) throw new Error(`“${label}” has no “${value}” but ${options.map(([text]) => text).join(' | ')}`);
      await field.select(option[1]);
    } else if (PICKED.includes(type)) {
      await field.evaluate((input, picked) => {
        input.value = picked;
        input.dispatchEvent(new Event('input', { bubbles: true }));
        input.dispatchEvent(new Event('change', { bubbles: true }));
      }, value);
    } else {
      await field.evaluate((input) => {
        input.focus();
        input.select();
      });
      await field.press('Backspace');
      // Whole documents are pasted.
      if (value.length > 200) await this.#page.keyboard.sendCharacter(value);
      else await field.type(value);
    }
    await this.#settle();
  }

  async check(label, isWanted) {
    const box = await this.#named(label, FIELD);
    const isChecked = () => box.evaluate((element) => element.checked);
    if ((await isChecked()) === isWanted) return;
    await this.#click(box);
    await this.#settle();
  }

  async upload(label, path) {
    // The name of such a field goes on with the name of the file.
    const field = await this.#page.evaluateHandle(
      (wanted) =>
        [...document.querySelectorAll('input[type="file"]')].find((input) =>
          [...input.labels].some((element) => element.innerText.trim() === wanted),
        ),
      label,
    );
    if (!field.asElement()) throw new Error(`0 × “${label}” for a file`);
    await field.uploadFile(path);
    await this.#settle();
  }

  async press(name, near) {
    await this.#click(await this.#named(name, BUTTON, near));
    await this.#settle();
  }

  async keyboard(combination) {
    const { keyboard } = this.#page;
    const keys = combination.split('+');
    const key = keys.pop();
    for (const modifier of keys) await keyboard.down(modifier);
    await keyboard.press(key);
    for (const modifier of keys.reverse()) await keyboard.up(modifier);
    await this.#settle();
  }

  text() {
    return this.#page.evaluate(() => document.body?.innerText ?? '');
  }

  url() {
    return this.#page.url();
  }

  status() {
    return this.#traffic.status();
  }

  async value(label) {
    const field = await this.#named(label, FIELD);
    return field.evaluate((element) => {
      if (element.matches('select')) return element.selectedOptions[0]?.text ?? '';
      if (element.matches('[type="checkbox"], [type="radio"]')) return element.checked ? 'checked' : '';
      return element.value;
    });
  }

  async waitForText(text) {
    for (;;) {
      try {
        await this.#traffic.ask(appearance, text);
        return await this.#settle();
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  }

  evaluate(script) {
    return this.#page.evaluate(script);
  }

  async clipboard() {
    await this.#page.bringToFront();
    return this.#page.evaluate(() => navigator.clipboard.readText());
  }

  async screenshot(path) {
    await mkdir(dirname(path), { recursive: true });
    await this.#page.screenshot({ path, fullPage: true });
  }

  overflow() {
    return this.#page.evaluate(stickingOut, this.#settings.width);
  }

  async axe() {
    // It is a script of ours, not of the page.
    await this.#page.setJavaScriptEnabled(true);
    await this.#page.evaluate(axe.source);
    const { violations } = await this.#page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
    await this.#page.setJavaScriptEnabled(this.#settings.javascript);
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')} — ${help}`));
  }

  troubles() {
    return this.#traffic.troubles;
  }

  async authenticator() {
    await this.#traffic.send('WebAuthn.enable');
    await this.#traffic.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
  }

  async weight() {
    await this.#page.setCacheEnabled(false);
    this.#traffic.weight = 0;
    await this.#page.reload({ timeout: 0 });
    await this.#settle();
    await this.#page.setCacheEnabled(true);
    return this.#traffic.weight;
  }

  /** The one element of a kind with a name. What nobody is told of, as it is hidden, is none. */
  async #named(name, kind, near = null) {
    const elements = await this.#page.$$(`aria/${name}`);
    const { count, at } = await this.#page.evaluate(meant, kind, near, ...elements);
    if (at >= 0) return elements[at];
    const where = near === null ? '' : ` near “${near}”`;
    throw new Error(`${count} × “${name}”${where}, of: ${await this.#page.evaluate(namesOf, kind)}`);
  }

  /** Clicks in the middle, unless nobody could: it is disabled, or something else is there. */
  async #click(element) {
    await element.scrollIntoView();
    const { x, y } = await element.clickablePoint();
    const hit = await element.evaluate(
      (clicked, ...point) => {
        const there = document.elementFromPoint(...point);
        return clicked.contains(there) && !clicked.disabled ? null : (there?.outerHTML ?? 'nothing');
      },
      x,
      y,
    );
    if (hit !== null) throw new Error(`it cannot be clicked: there is ${hit.slice(0, 200)}`);
    await this.#page.mouse.click(x, y);
  }

  /** Waits until what was done has led to all that it leads to: a page that is loaded, or an answer that htmx has put in its place. */
  async #settle() {
    for (;;) {
      while (this.#traffic.awaited.length) await this.#traffic.next();
      try {
        if (!(await this.#traffic.ask(isBusy)) && !this.#traffic.awaited.length) return;
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
  }
}
