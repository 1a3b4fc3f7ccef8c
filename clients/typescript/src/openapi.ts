// Made by `npm run types` from the server's openapi.json: do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description The type of a key.
         * @enum {string}
         */
        KeyType: "agent" | "public";
        /** @description How one window of a key stands. */
        RateLimit: {
            /**
             * Format: int32
             * @description How much the window has.
             */
            limit: number;
            /**
             * @description The window: `minute` or `hour`.
             * @example minute
             */
            policy: string;
            /**
             * Format: int32
             * @description How much of it is left.
             */
            remaining: number;
            /**
             * Format: int64
             * @description After how many seconds there is more.
             */
            resetSeconds: number;
            /**
             * Format: int64
             * @description How long it is.
             */
            windowSeconds: number;
        };
        /** @description The key that was verified. */
        VerifiedKey: {
            /**
             * Format: date-time
             * @description From when on what was presented is refused: the key's expiry, or the end of an old secret; null for never.
             */
            expiresAt?: string | null;
            /** @description The name that the owning application knows it by. */
            externalId?: string | null;
            /** @description The workspace that owns it; null for an instance key. */
            homeWorkspaceId?: string | null;
            /** @description The key's id. */
            keyId?: string;
            /** @description What the owning application keeps with it. */
            metadata?: Record<string, unknown>;
            /** @description What people call it. */
            name?: string;
            /** @description The person that it belongs to; null for a key of the workspace. */
            ownerId?: string | null;
            /** @description The plan of its home; null for an instance key. */
            plan?: string | null;
            /** @description What it may do: for a personal key no more than its owner's role permits. */
            scopes?: string[];
            /** @description Agent or public. */
            type?: components["schemas"]["KeyType"];
            /** @description The workspace that it acts in; null where it is refused, or for an instance key that named none. */
            workspaceId?: string | null;
        };
        /** @description A key that somebody presented, and what it is to fulfil. */
        VerifyKey: {
            /**
             * @description The address that it was presented from. A key that is bound to networks is refused without it.
             * @example 192.0.2.7
             */
            clientAddress?: string | null;
            /**
             * Format: int32
             * @description What the use costs of the key's quotas; 0 to ask only.
             * @default 1
             */
            cost: number;
            /**
             * @description The key as it was presented.
             * @example ak_00000000000000000000000000000000000000000002PL60u
             */
            key: string;
            /**
             * @description The scope that it must hold.
             * @example certificates:read
             */
            scope?: string | null;
            type?: components["schemas"]["KeyType"] | null;
            /** @description The workspace that it is to act in; by default its home. */
            workspaceId?: string | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
