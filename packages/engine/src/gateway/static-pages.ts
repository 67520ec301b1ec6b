import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { ActorResponse } from "@rivetkit/protocol";
import { notFound } from "../common/errors.ts";
import type { InboundRequest } from "./inbound.ts";

/** Where the pages are, behind the base path. */
const ROOT = "/ui";
/** What `ROOT` and its folder show. */
const INDEX = "index.html";
/** Files whose names hold a hash of their content. */
const HASHED = /^assets\//;
const COMPRESSED_BYTES_MIN = 1_024;

const TYPES: Readonly<Record<string, string>> = {
	".css": "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js": "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
	".woff2": "font/woff2",
};
/** The rest is compressed already. */
const COMPRESSIBLE = new Set([".css", ".html", ".js", ".json", ".svg", ".txt"]);

/**
 * The page runs and loads what is served beside it, and nothing else; it may talk to a server that its user
 * names. Styles are files, too: none in attributes or elements.
 */
const CONTENT_SECURITY_POLICY = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	"img-src 'self' data:",
	"font-src 'self'",
	"connect-src 'self' http: https:",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"require-trusted-types-for 'script'",
].join("; ");

const COMMON_HEADERS = {
	"content-security-policy": CONTENT_SECURITY_POLICY,
	"cross-origin-opener-policy": "same-origin",
	"referrer-policy": "no-referrer",
	"x-content-type-options": "nosniff",
	"x-frame-options": "DENY",
} as const;

const NOT_BUILT =
	"The dashboard is not built here. Run `npm run build`, then restart the server.\n";

interface Page {
	readonly headers: Readonly<Record<string, string>>;
	readonly content: Uint8Array;
	/** Null where it would save little. */
	readonly gzipped: Uint8Array | null;
}

/**
 * Static files below `/ui`: the dashboard. They are read at the first request and kept, and only what was
 * found then is served, so no path leads out of the folder. They hold no data of actors, so they need no
 * token (protocol 4.6, engine 5); what the page asks for does.
 */
export class StaticPages {
	readonly #folder: () => string;
	#pages: Promise<ReadonlyMap<string, Page>> | undefined;

	/** @param folder - absolute; asked for once */
	constructor(folder: () => string) {
		this.#folder = folder;
	}

	/** Undefined when the path is none below `/ui`. */
	answer({ method, path, headers }: InboundRequest): Promise<ActorResponse> | undefined {
		const mark = path.indexOf("?");
		const name = mark < 0 ? path : path.slice(0, mark);
		if (name === ROOT) {
			// Relative: also right behind a base path, or a proxy that takes one off.
			const location = `.${ROOT}/${mark < 0 ? "" : path.slice(mark)}`;
			return Promise.resolve({ status: 308, headers: { location }, body: null });
		}
		if (!name.startsWith(`${ROOT}/`)) {
			return undefined;
		}
		if (method !== "GET" && method !== "HEAD") {
			return Promise.resolve({ status: 405, headers: { allow: "GET, HEAD" }, body: null });
		}
		const accepted = headers.get("accept-encoding") ?? "";
		return this.#page(name.slice(ROOT.length + 1), /\bgzip\b/.test(accepted));
	}

	async #page(file: string, acceptsGzip: boolean): Promise<ActorResponse> {
		this.#pages ??= readPages(this.#folder());
		const pages = await this.#pages;
		if (pages.size === 0) {
			// Built later, it is found later.
			this.#pages = undefined;
			return { status: 404, headers: { "content-type": TYPES[".txt"]! }, body: NOT_BUILT };
		}
		const page = pages.get(file === "" ? INDEX : file);
		if (page === undefined) {
			return notFound();
		}
		if (page.gzipped === null) {
			return { status: 200, headers: page.headers, body: page.content };
		}
		const headers = { ...page.headers, vary: "Accept-Encoding" };
		return acceptsGzip
			? { status: 200, headers: { ...headers, "content-encoding": "gzip" }, body: page.gzipped }
			: { status: 200, headers, body: page.content };
	}
}

async function readPages(folder: string): Promise<ReadonlyMap<string, Page>> {
	const pages = new Map<string, Page>();
	for (const file of await filesIn(folder)) {
		const name = relative(folder, file).split(sep).join("/");
		pages.set(name, await readPage(file, HASHED.test(name)));
	}
	return pages;
}

async function filesIn(folder: string): Promise<string[]> {
	try {
		const entries = await readdir(folder, { recursive: true, withFileTypes: true });
		return entries
			.filter((entry) => entry.isFile())
			.map((entry) => join(entry.parentPath, entry.name));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") {
			return [];
		}
		throw error;
	}
}

async function readPage(file: string, isHashed: boolean): Promise<Page> {
	const content = await readFile(file);
	const extension = extname(file);
	const isWorth = COMPRESSIBLE.has(extension) && content.byteLength >= COMPRESSED_BYTES_MIN;
	return {
		headers: {
			...COMMON_HEADERS,
			"content-type": TYPES[extension] ?? "application/octet-stream",
			"cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
		},
		content,
		gzipped: isWorth ? await promisify(gzip)(content) : null,
	};
}
