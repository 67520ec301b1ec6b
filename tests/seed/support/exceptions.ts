/** Examples that cannot be checked here, with the reason. Every entry must still be needed. */
export const NOT_TYPECHECKED: Readonly<Record<string, string>> = {
	Elysia: "imports elysia, a server framework that is no dependency of this repository",
};
