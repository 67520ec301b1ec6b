import type { Registry } from "rivetkit";
import { expect, it } from "vitest";
import { Actors } from "../src/actors.ts";

/** Actors whose code is a text: an empty one cannot be loaded. */
function actorsOf(initial: string) {
	const file = { text: initial };
	const loaded: string[] = [];
	const failed: string[] = [];
	const actors = new Actors({
		load: async () => {
			const { text } = file;
			if (text === "") throw new Error("empty");
			loaded.push(text);
			return { develop: async () => {} } as unknown as Registry;
		},
		onLoaded: () => {},
		onFailed: (error) => failed.push(String(error)),
	});
	return { file, loaded, failed, actors };
}

it("loads a file that was emptied and then written, though the watcher told of the first only", async () => {
	const { file, loaded, failed, actors } = actorsOf("one");
	await actors.reload();
	file.text = "";
	const reloaded = actors.reload();
	setTimeout(() => {
		file.text = "two";
	}, 5);
	await reloaded;
	expect({ loaded, failed }).toEqual({ loaded: ["one", "two"], failed: [] });
});

it("loads once for files that are saved together", async () => {
	const { file, loaded, actors } = actorsOf("one");
	await actors.reload();
	file.text = "two";
	await Promise.all([actors.reload(), actors.reload(), actors.reload()]);
	expect(loaded).toEqual(["one", "two"]);
});

it("loads again for a change during a load", async () => {
	const { file, loaded, actors } = actorsOf("one");
	const first = actors.reload();
	file.text = "two";
	await actors.reload();
	await first;
	expect(loaded).toEqual(["one", "two"]);
});

it("mends a first load that failed", async () => {
	const { file, loaded, failed, actors } = actorsOf("");
	await actors.reload();
	expect([actors.hasFailed, failed.length]).toEqual([true, 1]);
	const reloaded = actors.reload();
	setTimeout(() => {
		file.text = "one";
	}, 5);
	await reloaded;
	expect([actors.hasFailed, loaded]).toEqual([false, ["one"]]);
});
