import { catalogueError } from "@rivetkit/protocol";
import type { ActorBackend, Incarnation } from "../../backends/backend.ts";
import {
	type CommitRecord,
	type DatabaseHead,
	PAGES_END,
	pageKey,
	RECORDS_END,
	RECORDS_START,
	RecordedChanges,
	readRecords,
	readWholePage,
	type WholePage,
} from "../../sqlite/pages/stored-pages.ts";

/** Pages read from the store at once: 1 MiB, so that one read keeps the event loop for about 2 ms. */
const PAGES_PER_READ = 256;

/** An actor's database as its store has it. */
export class StoredDatabase {
	readonly #backend: ActorBackend;
	readonly #actor: Incarnation;

	constructor(backend: ActorBackend, actor: Incarnation) {
		this.#backend = backend;
		this.#actor = actor;
	}

	/** In the order of the commits; none when the actor never wrote to a database. */
	async records(): Promise<CommitRecord[]> {
		const range = { start: RECORDS_START, end: RECORDS_END };
		return readRecords(await this.#backend.scan(this.#actor, range));
	}

	/** All pages of the newest commit, in order. Throws `database.damaged` when one is missing. */
	async *pages(
		head: DatabaseHead,
		records: readonly CommitRecord[],
	): AsyncGenerator<Uint8Array[], void, void> {
		const changes = new RecordedChanges(records);
		for (let first = 1; first <= head.pageCount; first += PAGES_PER_READ) {
			const last = Math.min(first + PAGES_PER_READ - 1, head.pageCount);
			const whole = await this.#whole(first, last);
			const pages: Uint8Array[] = [];
			for (let page = first; page <= last; page++) {
				pages.push(restored(changes, page, whole.get(page) ?? null));
			}
			yield pages;
		}
	}

	/** Some pages of the newest commit. */
	async *some(
		wanted: Iterable<number>,
		head: DatabaseHead,
		records: readonly CommitRecord[],
	): AsyncGenerator<{ page: number; bytes: Uint8Array }, void, void> {
		const changes = new RecordedChanges(records);
		const pages = [...wanted].filter((page) => page <= head.pageCount).sort((a, b) => a - b);
		for (let at = 0; at < pages.length; at += PAGES_PER_READ) {
			const batch = pages.slice(at, at + PAGES_PER_READ);
			const keys = batch.map(pageKey);
			const values = await this.#backend.get(this.#actor, keys);
			for (const [index, page] of batch.entries()) {
				const value = values[index];
				const whole = value ? readWholePage(keys[index]!, value) : null;
				yield { page, bytes: restored(changes, page, whole) };
			}
		}
	}

	async #whole(first: number, last: number): Promise<Map<number, WholePage>> {
		const end = last === 0xffffffff ? PAGES_END : pageKey(last + 1);
		const entries = await this.#backend.scan(this.#actor, { start: pageKey(first), end });
		const pages = entries.map(([key, value]) => readWholePage(key, value));
		return new Map(pages.map((page) => [page.page, page]));
	}
}

function restored(changes: RecordedChanges, page: number, whole: WholePage | null): Uint8Array {
	const bytes = changes.restore(page, whole);
	if (bytes === null)
		throw catalogueError("database.damaged", { reason: `page ${page} is missing` });
	return bytes;
}
