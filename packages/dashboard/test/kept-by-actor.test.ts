import { expect, it } from "vitest";
import { KeptByActor } from "../src/app/panels/kept-by-actor.ts";

interface Kept {
	readonly text: string;
	readonly isBusy: boolean;
}

const NONE: Kept = { text: "", isBusy: false };

function setUp(actorsMax = 2) {
	const changes: string[] = [];
	const store = new KeptByActor<Kept>({
		none: NONE,
		actorsMax,
		isBusy: ({ isBusy }) => isBusy,
		onChange: (all) => changes.push([...all].map(({ text }) => text).join(",")),
	});
	const at = (actorId: string) => store.of("http://h", actorId);
	const put = (actorId: string, text: string, isBusy = false) =>
		at(actorId).change(() => ({ text, isBusy }));
	return { store, changes, at, put };
}

it("is by server and actor, and the same for whoever asks", () => {
	const { store, at, put } = setUp();
	const before = at("a1");
	put("a1", "one");
	expect([before.latest().text, at("a1").latest().text]).toEqual(["one", "one"]);
	expect([at("a2").latest(), store.of("http://other", "a1").latest()]).toEqual([NONE, NONE]);
});

it("tells of changes, as long as somebody listens; the same is none", () => {
	const { store, changes, at, put } = setUp();
	let told = 0;
	const stop = store.subscribe(() => told++);
	put("a1", "one");
	at("a1").change((now) => now);
	at("a2").change(() => NONE);
	expect([told, changes]).toEqual([1, ["one"]]);
	stop();
	at("a1").change(() => NONE);
	expect([told, changes]).toEqual([1, ["one", ""]]);
});

it("of more actors than are kept, those go that were not changed for the longest", () => {
	const { at, put } = setUp();
	put("a1", "one");
	put("a2", "two");
	put("a1", "one again");
	put("a3", "three");
	expect(["a1", "a2", "a3"].map((id) => at(id).latest().text)).toEqual(["one again", "", "three"]);
});

it("that in which something goes on stays, and so does what was changed just now", () => {
	const { at, put } = setUp();
	put("a1", "one", true);
	put("a2", "two", true);
	put("a3", "three");
	const texts = () => ["a1", "a2", "a3"].map((id) => at(id).latest().text);
	expect(texts()).toEqual(["one", "two", "three"]);
	put("a1", "one is done");
	expect(texts()).toEqual(["one is done", "two", ""]);
});
