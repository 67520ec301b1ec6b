import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Cursor, registry } from "../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, ".."));
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

const join_ = (name: string) => client.board.getOrCreate(["main"], { params: { name } }).connect();

it("tells the others where somebody points, and when they leave", async () => {
	const [ada, grace] = [join_("Ada"), join_("Grace")];
	const moves: Cursor[] = [];
	grace.on("moved", (cursor) => moves.push(cursor));
	const { me } = await ada.look();
	await grace.look();
	await ada.move(0.25, 0.5);
	await eventually(() => expect(moves).toEqual([{ id: me, name: "Ada", x: 0.25, y: 0.5 }]));
	expect((await grace.look()).cursors).toEqual(moves);

	const left = new Promise((resolve) => grace.once("left", resolve));
	await ada.dispose();
	expect(await left).toBe(me);
	expect((await grace.look()).cursors).toEqual([]);
	await grace.dispose();
});

it("refuses who has no name, what is beside the board, and a note that is too long", async () => {
	const nobody = join_(" ");
	nobody.onError(() => {});
	await expect(nobody.look()).rejects.toMatchObject({ code: "name_missing" });
	await nobody.dispose();
	const ada = join_("Ada");
	await expect(ada.move(1.5, 0)).rejects.toMatchObject({ code: "outside" });
	await expect(ada.move(Number.NaN, 0)).rejects.toMatchObject({ code: "outside" });
	await expect(ada.note(0, 0, "x".repeat(201))).rejects.toMatchObject({ code: "note_length" });
	await ada.dispose();
});

it("has the notes after kill -9, and not the cursors", async () => {
	const ada = join_("Ada");
	await ada.move(0.1, 0.1);
	const note = await ada.note(0.5, 0.5, "this stays");
	const back = new Promise((resolve) => {
		ada.onStatusChange((status) => status === "disconnected" && ada.onOpen(() => resolve(null)));
	});
	await server.stop("SIGKILL");
	await server.start();
	await back;
	const { notes, cursors } = await ada.look();
	expect({ notes, cursors }).toEqual({ notes: [note], cursors: [] });
	await ada.dispose();
});
