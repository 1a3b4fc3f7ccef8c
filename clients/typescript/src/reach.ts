import type { Api } from "./api.js";

/** Of which workspaces the service's own key hears: an instance key of all, another of its home. */
export class Reach {
  readonly #api: Api;
  /** The home of the service's own key, `null` for an instance key, `undefined` until it is known. */
  #home: string | null | undefined;
  #isFindingOut = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Something was told that an instance key alone is told. */
  isOfAnInstanceKey(): void {
    this.#home = null;
  }

  /** Whether it hears of everything. Until that is known: no. */
  isEverything(until: number): boolean {
    this.#findOut(until);
    return this.#home === null;
  }

  /** Whether it hears of everything, or these all are its home. Until that is known: no. */
  covers(workspaceIds: readonly (string | null)[], until: number): boolean {
    this.#findOut(until);
    const home = this.#home;
    return home === null || (home !== undefined && workspaceIds.every((id) => id === home));
  }

  #findOut(until: number): void {
    if (this.#home !== undefined || this.#isFindingOut) return;
    this.#isFindingOut = true;
    this.#api
      .home(until)
      .then((home) => (this.#home = home))
      // Until it is known, the server is asked each time.
      .catch(() => {})
      .finally(() => (this.#isFindingOut = false));
  }
}
