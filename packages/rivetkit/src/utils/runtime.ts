import { VERSION } from "./version.ts";

export type Runtime = "node" | "bun" | "deno";

interface RuntimeGlobals {
	Bun?: { version: string };
	Deno?: { version: { deno: string } };
	process?: { versions?: { node?: string } };
	navigator?: { userAgent?: string };
}

/** The JavaScript runtime; `"node"` for everything that is neither Bun nor Deno. */
export function detectRuntime(): Runtime {
	const { Bun, Deno } = globalThis as RuntimeGlobals;
	if (Bun) return "bun";
	return Deno ? "deno" : "node";
}

/** `RivetKit/<version>`, then what the runtime calls itself. */
export function httpUserAgent(): string {
	const own = `RivetKit/${VERSION}`;
	const runtime = (globalThis as RuntimeGlobals).navigator?.userAgent;
	return runtime ? `${own} ${runtime}` : own;
}
