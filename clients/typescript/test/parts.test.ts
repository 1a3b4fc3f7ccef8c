import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { clientAddress } from "../src/address.js";
import type { Api } from "../src/api.js";
import { Changes } from "../src/changes.js";
import { EventStream } from "../src/event-stream.js";
import { TigerTrust } from "../src/index.js";
import { claimsToBeKey, isKey } from "../src/key-format.js";
import { KeySet } from "../src/key-set.js";
import { digestOf } from "../src/question.js";
import { Signer } from "./support/signer.js";

describe("the format of keys", () => {
  it("is prefix, length, alphabet and checksum", () => {
    const good = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";
    assert.ok(isKey(good));
    assert.ok(isKey("ak_00000000000000000000000000000000000000000002PL60u"));
    for (let place = 0; place < good.length; place += 1) {
      const changed = good.slice(0, place) + (good[place] === "x" ? "y" : "x") + good.slice(place + 1);
      assert.ok(!isKey(changed), changed);
    }
    for (const value of ["", good + good, ` ${good}`, `${good}\n`, good.replace("0", "é"), undefined, null, 7, [good]]) {
      assert.ok(!isKey(value));
    }
  });

  it("has further prefixes where somebody says so", () => {
    const imported = `sk_live_${"3ZxAkQ9fGhJk7mNpQrSt"}`;
    assert.ok(!isKey(imported) && !claimsToBeKey(imported));
    const prefixes = ["sk_live_", ""];
    assert.ok(isKey(imported, prefixes) && isKey(`${imported}-._~+/=`, prefixes) && isKey("a".repeat(64), prefixes));
    for (const value of ["sk_live_short", `${imported} `, `${imported}\n`, `sk_live_${"é".repeat(20)}`, `sk_live_${"a".repeat(513)}`]) {
      assert.ok(!isKey(value, prefixes) && claimsToBeKey(value, prefixes), value);
    }
    // What is TigerTrust's own is told by its checksum, whatever other prefixes there are; and a JWT is no key.
    for (const value of [`ak_${"0".repeat(49)}`, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "a".repeat(19), undefined]) {
      assert.ok(!isKey(value, prefixes));
    }
    assert.ok(!claimsToBeKey("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", prefixes));
    const made = (keyPrefixes: string[]) =>
      new TigerTrust({ url: "http://127.0.0.1:1", apiKey: "ak_00000000000000000000000000000000000000000002PL60u", keyPrefixes });
    assert.deepEqual(made(prefixes).keyPrefixes, prefixes);
    for (const wrong of ["a", "ak_x", "ak", "tt_", "eyJh", "sk.", "s".repeat(33)]) {
      assert.throws(() => made([wrong]), TypeError, wrong);
    }
  });
});

describe("a stream of events", () => {
  const TEXT = "\ufeffid: 41\n: following\n\nid: 42\r\nevent: key\r\ndata: {\"id\":\r\ndata:1}\r\n\r\nid\n\nevent: reset\rdata\r\r:\n\n";
  const BLOCKS = [
    { id: "41", event: undefined, data: "" },
    { id: "42", event: "key", data: '{"id":\n1}' },
    { id: "", event: undefined, data: "" },
    { id: undefined, event: "reset", data: "" },
    { id: undefined, event: undefined, data: "" },
  ];

  it("is read the same however it is cut", () => {
    for (let size = 1; size <= TEXT.length; size += 1) {
      const stream = new EventStream();
      const blocks = [];
      for (let from = 0; from < TEXT.length; from += size) blocks.push(...stream.push(TEXT.slice(from, from + size)).blocks);
      assert.deepEqual(blocks, BLOCKS, `pieces of ${size}`);
    }
  });

  it("tells how many lines were whole", () => {
    const stream = new EventStream();
    assert.equal(stream.push("id: 4").lines, 0);
    assert.equal(stream.push("1\n:\n").lines, 2);
  });

  it("ends where a line does not", () => {
    const stream = new EventStream();
    assert.throws(() => {
      for (let piece = 0; piece < 100; piece += 1) stream.push("x".repeat(1_024));
    }, RangeError);
  });
});

describe("changes", () => {
  it("are kept as long as they matter", () => {
    const changes = new Changes(1_000);
    changes.note("key_1", 100);
    changes.note("key_2", 200);
    assert.equal(changes.last(["key_1", "usr_1"]), 100);
    assert.equal(changes.last(["key_1", "key_2"]), 200);
    assert.equal(changes.last(["usr_1"]), -Infinity);
    const minutes = 60_000;
    changes.note("key_3", 17 * minutes + 150);
    assert.equal(changes.last(["key_1"]), -Infinity);
    assert.equal(changes.last(["key_2"]), 200);
    changes.reset(18 * minutes);
    assert.equal(changes.last([]), 18 * minutes);
  });

  it("count for everything where there are too many", () => {
    const changes = new Changes(1_000);
    for (let number = 0; number <= 100_000; number += 1) changes.note(`key_${number}`, 5);
    assert.equal(changes.last(["usr_1"]), 5);
  });
});

describe("the history of changes", () => {
  const SKEW = 60_000;

  it("begins with a number, and tells what has changed after another", () => {
    const changes = new Changes(1_000);
    const isLeftAlone = (number: number, ids = ["key_1", "ws_1"]) => changes.haveLeftAlone(ids, number, 0, SKEW, 1_000);
    assert.ok(!isLeftAlone(1_000), "nothing has begun");
    changes.begin(0, 40);
    assert.ok(!isLeftAlone(39));
    assert.ok(isLeftAlone(40));
    changes.note("key_1", 10, 41);
    changes.note("ws_2", 20, 42);
    assert.ok(!isLeftAlone(40));
    assert.ok(isLeftAlone(41));
    assert.ok(isLeftAlone(40, ["key_2"]));
    changes.note("ws_1", 30);
    assert.ok(!isLeftAlone(1_000), "a change without a number is after all");
  });

  it("begins anew with a reset, and only for what was issued clearly after it", () => {
    const changes = new Changes(1_000);
    changes.begin(0, 40);
    changes.reset(100_000, 20);
    const isLeftAlone = (number: number, issuedAt: number, now: number) =>
      changes.haveLeftAlone(["key_1"], number, now - issuedAt, SKEW, now);
    assert.ok(!isLeftAlone(50, 99_000, 170_000));
    assert.ok(!isLeftAlone(50, 159_000, 170_000));
    assert.ok(isLeftAlone(50, 160_000, 170_000));
    assert.ok(!isLeftAlone(19, 160_000, 170_000));
  });

  it("begins with the next sign of life where a reset has no number", () => {
    const changes = new Changes(1_000);
    changes.begin(0, 40);
    changes.reset(0);
    const isLeftAlone = () => changes.haveLeftAlone(["key_1"], 60, 0, SKEW, 100_000);
    assert.ok(!isLeftAlone());
    changes.areKnownUpTo(50);
    assert.ok(isLeftAlone());
    changes.areKnownUpTo(70);
    assert.ok(isLeftAlone());
  });

  it("counts what came in clearly after the issue, whatever its number", () => {
    const changes = new Changes(1_000);
    changes.begin(0, 10);
    changes.note("key_1", 100_000, 20);
    const isLeftAlone = (issuedAt: number) => changes.haveLeftAlone(["key_1"], 1_000, 200_000 - issuedAt, SKEW, 200_000);
    assert.ok(isLeftAlone(40_000));
    assert.ok(!isLeftAlone(39_999));
  });

  it("begins no earlier than with what it has dropped", () => {
    const minutes = 60_000;
    const changes = new Changes(1_000);
    changes.begin(0, 0);
    changes.note("key_1", 0, 7);
    changes.note("key_2", 17 * minutes + 1, 8);
    const isLeftAlone = (number: number) => changes.haveLeftAlone(["key_3"], number, 0, SKEW, 18 * minutes);
    assert.ok(!isLeftAlone(6));
    assert.ok(isLeftAlone(7));
    for (let number = 9; number <= 100_008; number += 1) changes.note(`key_${number}`, 17 * minutes + 2_000, number);
    assert.ok(!isLeftAlone(7));
    assert.ok(isLeftAlone(8));
    assert.equal(changes.last(["key_3"]), -Infinity, "remembered verdicts need what was dropped no more");
    assert.ok(changes.last(["key_100008"]) > 0);
  });
});

describe("the signing keys", () => {
  it("are fetched anew after five minutes, and for a name that is not known, but not twice in ten seconds", async (t) => {
    let now = 1_000_000;
    t.mock.method(performance, "now", () => now);
    let answer: string | undefined;
    let fetches = 0;
    const api = { keySet: async () => ((fetches += 1), answer && (JSON.parse(answer) as unknown)) } as unknown as Api;
    const keys = new KeySet(api);
    const [first, second] = [new Signer(), new Signer("tigertrust-fedcba9876543210")];
    const known = async (kid: string) => {
      if (!keys.known(kid)) await keys.refresh(now + 2_000);
      return keys.known(kid)?.x;
    };
    assert.equal(await known(first.kid), undefined);
    answer = Signer.keySetOf(first);
    now += 9_999;
    assert.equal(await known(first.kid), undefined);
    assert.equal(fetches, 1);
    now += 1;
    assert.equal(await known(first.kid), first.jwk["x"]);
    assert.equal(await known(second.kid), undefined);
    assert.equal(fetches, 2);
    answer = Signer.keySetOf(first, second);
    now += 10_000;
    assert.equal(await known(second.kid), second.jwk["x"]);
    assert.equal(fetches, 3);
    answer = undefined;
    now += 299_999;
    assert.equal(await known(first.kid), first.jwk["x"]);
    assert.equal(fetches, 3);
    now += 1;
    assert.equal(await known(first.kid), undefined);
    assert.equal(fetches, 4);
  });
});

describe("a question", () => {
  it("is told apart from every other", () => {
    const questions = [
      {},
      { scope: "a:b" },
      { type: "agent" },
      { workspaceId: "a:b" },
      { clientAddress: "a:b" },
      { scope: "a:b", workspaceId: "a:b" },
      { scope: '","' },
      { workspaceId: "" },
    ] as const;
    const digests = questions.flatMap((question) => [digestOf("one", question), digestOf("two", question)]);
    assert.equal(new Set(digests).size, digests.length);
    assert.equal(digestOf("one", { clientAddress: undefined }), digestOf("one", {}));
  });
});

describe("a client's address", () => {
  it("is one that the server takes, or none", () => {
    assert.equal(clientAddress("192.0.2.7"), "192.0.2.7");
    assert.equal(clientAddress("::ffff:192.0.2.7"), "192.0.2.7");
    assert.equal(clientAddress("fe80::1%eth0"), "fe80::1");
    assert.equal(clientAddress("2001:db8::1"), "2001:db8::1");
    for (const none of [undefined, "", "testclient", "192.0.2.7:80", "[::1]"]) assert.equal(clientAddress(none), undefined);
  });
});
