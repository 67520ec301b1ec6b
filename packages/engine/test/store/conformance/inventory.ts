import { describe, expect, it } from "vitest";
import type { InventoryEntry } from "../../../src/store/inventory.ts";
import type { MakeStore } from "./make-store.ts";

const entry = (name: string, fields: Partial<InventoryEntry> = {}): InventoryEntry => ({
	kind: "pool",
	scope: "one",
	name,
	value: JSON.stringify({ name }),
	createTs: 1_000,
	...fields,
});

/** What every {@link Inventory} must do. */
export function inventoryConformance(open: MakeStore): void {
	const opened = async () => (await open({})).inventory;
	const names = (entries: readonly InventoryEntry[]) => entries.map(({ name }) => name);

	describe("inventory", () => {
		it("inserts an entry once, however many try, and tells who did", async () => {
			const inventory = await opened();
			const results = await Promise.all(
				Array.from({ length: 20 }, (_, index) =>
					inventory.insert(entry("a", { value: `${index}` })),
				),
			);
			expect(results.filter((isMine) => isMine)).toHaveLength(1);
			const stored = await inventory.get("pool", "one", "a");
			expect(stored).toEqual(entry("a", { value: `${results.indexOf(true)}` }));
			// The same once more, because the answer was lost.
			expect(await inventory.insert(stored!)).toBe(true);
		});

		it("replaces a value and keeps when the entry was made; keeps kinds, scopes and names apart", async () => {
			const inventory = await opened();
			await inventory.put(entry("a"));
			await inventory.put(entry("a", { value: "2", createTs: 9_000 }));
			await inventory.put(entry("a", { scope: "two" }));
			await inventory.put(entry("a", { kind: "namespace" }));
			expect(await inventory.get("pool", "one", "a")).toEqual(entry("a", { value: "2" }));
			expect(await inventory.get("pool", "two", "a")).toEqual(entry("a", { scope: "two" }));
			expect(await inventory.delete("pool", "one", "a")).toBe(true);
			expect(await inventory.delete("pool", "one", "a")).toBe(false);
			expect(await inventory.get("pool", "one", "a")).toBeUndefined();
			expect(await inventory.get("namespace", "one", "a")).toBeDefined();
		});

		it("lists by name, page by page, in the order of code points", async () => {
			const inventory = await opened();
			const all = ["", "A", "a", "a\0", "a-b", "b", "ä", "\u{1f600}"];
			for (const name of [...all].reverse()) await inventory.put(entry(name));
			await inventory.put(entry("aa", { scope: "other" }));
			expect(names(await inventory.listByName("pool", "one", 100))).toEqual(all);
			expect(names(await inventory.listByName("pool", "one", 3, "A"))).toEqual(["a", "a\0", "a-b"]);
			expect(await inventory.listByName("pool", "one", 0)).toEqual([]);
		});

		it("lists newest first, and loses nothing where times are equal", async () => {
			const inventory = await opened();
			for (const [name, createTs] of [
				["a", 1],
				["b", 2],
				["c", 2],
				["d", 3],
			] as const) {
				await inventory.put(entry(name, { createTs }));
			}
			expect(names(await inventory.listNewest("pool", "one", 9))).toEqual(["d", "c", "b", "a"]);
			const after = async (position: { createTs: number; name?: string }) =>
				names(await inventory.listNewest("pool", "one", 2, position));
			expect(await after({ createTs: 2, name: "c" })).toEqual(["b", "a"]);
			expect(await after({ createTs: 2 })).toEqual(["a"]);
		});

		it("lists a kind over all scopes", async () => {
			const inventory = await opened();
			await inventory.put(entry("b", { scope: "two" }));
			await inventory.put(entry("a", { scope: "two" }));
			await inventory.put(entry("z"));
			await inventory.put(entry("n", { kind: "namespace" }));
			expect(names(await inventory.listKind("pool"))).toEqual(["z", "a", "b"]);
		});
	});
}
