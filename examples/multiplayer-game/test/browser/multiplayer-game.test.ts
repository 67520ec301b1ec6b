import { join } from "node:path";
import { examplePages, fitsPhone } from "example-support/browser";
import { eventually, exampleServer } from "example-support/server";
import { createClient } from "rivetkit/client";
import { expect, it } from "vitest";
import type { registry } from "../../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, "..", ".."));
const pages = examplePages(server);

it("is steered by keys and buttons, and goes on after a restart of the server", async () => {
	const client = createClient<typeof registry>(server.url);
	const watcher = client.arena.getOrCreate(["main"], { params: { name: "Watcher" } });
	const playerOf = async (name: string) =>
		Object.values((await watcher.snapshot()).world.players).find((p) => p.name === name);
	const open = async (name: string) => {
		const page = await pages.open(`/?name=${name}`, { viewport: { width: 760, height: 560 } });
		await page.waitForSelector('#status[data-status="connected"]');
		await eventually(async () => expect(await playerOf(name)).toBeDefined());
		return page;
	};
	const [ada, grace] = [await open("Ada"), await open("Grace")];
	await ada.keyboard.press("ArrowRight");
	await eventually(async () => expect((await playerOf("Ada"))?.x).toBe(31));
	await grace.getByRole("button", { name: "Up" }).click();
	await eventually(async () => expect((await playerOf("Grace"))?.y).toBe(0));
	await eventually(async () => {
		const { world } = await watcher.snapshot();
		const self = Object.values(world.players).find(({ name }) => name === "Ada");
		const [gem] = Object.values(world.gems).sort((a, b) => b.x - a.x);
		if (self?.y !== gem?.y) await ada.keyboard.press(self!.y < gem!.y ? "ArrowDown" : "ArrowUp");
		else await ada.keyboard.press(self!.x < gem!.x ? "ArrowRight" : "ArrowLeft");
		expect(await ada.locator("#scores").innerText()).toMatch(/Ada: \d/);
	});
	await pages.screenshot(ada);
	expect(await fitsPhone(ada)).toBe(true);

	const before = await playerOf("Ada");
	await server.stop("SIGKILL");
	await ada.waitForSelector('#status:not([data-status="connected"])');
	await server.start();
	// The server still knows the player of before; keys are for the one that the page gets when it is back.
	await ada.waitForSelector('#status[data-status="connected"]');
	await ada.keyboard.press("ArrowDown");
	await eventually(async () => {
		const after = await playerOf("Ada");
		expect(after).toMatchObject({ direction: "down", y: 17 });
		expect(after?.id).not.toBe(before?.id);
	});
	await client.dispose();
});
