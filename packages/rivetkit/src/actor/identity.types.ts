/** With its name, what identifies an actor (api 2). Parts may hold any text, at most 128 bytes each. */
export type ActorKey = string[];

/** What a caller is about to do. */
export type AuthIntent = "get" | "create" | "connect" | "action" | "message";
