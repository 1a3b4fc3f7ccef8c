/** A block of a stream of server-sent events. */
export interface Block {
  id: string | undefined;
  event: string | undefined;
  data: string;
}

/** More than any block of the feed, and any line in it, needs. */
const LONGEST = 65_536;

/** Reads server-sent events (WHATWG HTML §9.2) piece by piece. */
export class EventStream {
  #rest = "";
  #isFirst = true;
  #block: Block = { id: undefined, event: undefined, data: "" };

  /** Takes the next piece, and tells the blocks that it completes and how many lines. */
  push(text: string): { blocks: Block[]; lines: number } {
    const blocks: Block[] = [];
    let pending = this.#rest + text;
    if (this.#isFirst && pending !== "") {
      this.#isFirst = false;
      if (pending.startsWith("\ufeff")) pending = pending.slice(1);
    }
    let lines = 0;
    let from = 0;
    for (;;) {
      const end = endOfLine(pending, from);
      if (end === undefined) break;
      lines += 1;
      this.#take(pending.slice(from, end.at), blocks);
      from = end.next;
    }
    this.#rest = pending.slice(from);
    if (this.#rest.length > LONGEST || this.#block.data.length > LONGEST) {
      throw new RangeError("a line or block of the feed is too long");
    }
    return { blocks, lines };
  }

  #take(line: string, blocks: Block[]): void {
    if (line === "") {
      blocks.push(this.#block);
      this.#block = { id: undefined, event: undefined, data: "" };
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#block.id = value;
    if (field === "event") this.#block.event = value;
    if (field === "data") this.#block.data += this.#block.data === "" ? value : `\n${value}`;
  }
}

/** Where the line ends, and the next one begins. A carriage return at the very end may be half an ending. */
function endOfLine(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\n") return { at, next: at + 1 };
    if (character === "\r") {
      if (at + 1 === text.length) return undefined;
      return { at, next: text[at + 1] === "\n" ? at + 2 : at + 1 };
    }
  }
  return undefined;
}
