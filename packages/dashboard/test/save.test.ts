import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../src/app/api/errors.ts";
import { Inspector } from "../src/app/api/inspector.ts";
import { currentOf, type Draft, edited, startDraft } from "../src/app/panels/state/draft.ts";
import { saveDraft } from "../src/app/panels/state/save.ts";

interface State {
	readonly count: number;
	readonly open?: boolean;
}

/** An actor that others write to between a read and what is written then, as often as it is told to. */
class FakeActor {
	state: State = { count: 1, open: true };
	version = 1;
	reads = 0;
	readonly meanwhile: State[] = [];

	write(state: State): void {
		this.state = state;
		this.version++;
	}

	readonly store = {
		read: async () => {
			this.reads++;
			const seen = { isStateEnabled: true, state: this.state, etag: `"${this.version}"` };
			const next = this.meanwhile.shift();
			if (next !== undefined) this.write(next);
			return seen;
		},
		write: async (value: unknown, etag: string | null) => {
			if (etag !== `"${this.version}"`) {
				throw new ApiError(412, "inspector", "state_changed", "changed meanwhile");
			}
			this.write(value as State);
		},
	};
}

function save(actor: FakeActor, draft: Draft, { isForced = false } = {}) {
	let latest = draft;
	return saveDraft(actor.store, {
		latest: () => latest,
		isForced,
		onTry: (onTop) => {
			latest = onTop;
		},
	});
}

describe("a save", () => {
	const closed = edited(startDraft({ count: 1, open: true }), { count: 1, open: false });

	it("is made again on top of what was written between its read and itself", async () => {
		const actor = new FakeActor();
		actor.meanwhile.push({ count: 2, open: true }, { count: 3, open: true });
		expect(await save(actor, closed)).toEqual({ value: { count: 3, open: false } });
		expect([actor.state, actor.reads]).toEqual([{ count: 3, open: false }, 3]);
	});

	it("ends with nothing written where that is the same value, unless it is forced", async () => {
		const actor = new FakeActor();
		actor.meanwhile.push({ count: 2 });
		expect(await save(actor, closed)).toBeNull();
		expect(actor.state).toEqual({ count: 2 });
		actor.meanwhile.push({ count: 3, open: true });
		expect(await save(actor, closed, { isForced: true })).not.toBeNull();
		expect(actor.state).toEqual({ count: 3, open: false });
	});

	it("has the edits that were made while it was made again", async () => {
		const actor = new FakeActor();
		actor.meanwhile.push({ count: 2, open: true });
		let latest = closed;
		await saveDraft(actor.store, {
			latest: () => latest,
			isForced: false,
			onTry: (onTop) => {
				latest = edited(onTop, { ...(currentOf(onTop) as State), title: "new" });
			},
		});
		expect(actor.state).toEqual({ count: 2, open: false, title: "new" });
	});

	it("says so when the actor is faster every time, and any other refusal at once", async () => {
		const actor = new FakeActor();
		actor.meanwhile.push(...Array.from({ length: 50 }, (_, n) => ({ count: n + 2, open: true })));
		await expect(save(actor, closed)).rejects.toThrow("Nothing is saved: the actor changed");
		expect(actor.reads).toBe(5);
		expect(actor.state.open).toBe(true);
		const refusal = new ApiError(400, "state", "invalid_type", "NaN cannot be stored");
		const write = () => Promise.reject(refusal);
		const saving = { latest: () => closed, isForced: false, onTry: () => {} };
		await expect(saveDraft({ ...actor.store, write }, saving)).rejects.toBe(refusal);
	});
});

describe("the version of a state", () => {
	afterEach(() => vi.unstubAllGlobals());

	const inspector = new Inspector(
		{ endpoint: "http://server.example", token: "", engineToken: "" },
		"id",
	);

	it.each([
		['"abc"', '"abc"'],
		['W/"abc"', '"abc"'],
		[null, null],
	])("that a read tells as %s goes along as %s with what replaces it", async (told, sent) => {
		const asked: Request[] = [];
		vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
			asked.push(new Request(url, init));
			const headers = { "content-type": "application/json", ...(told ? { etag: told } : {}) };
			return new Response('{"isStateEnabled":true,"state":1}', { headers });
		});
		const { etag } = await inspector.state(new AbortController().signal);
		await inspector.setState(2, etag);
		expect(asked.map(({ method, headers }) => [method, headers.get("if-match")])).toEqual([
			["GET", null],
			["PATCH", sent],
		]);
	});
});
