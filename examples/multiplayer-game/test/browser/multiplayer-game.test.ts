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
	// Back and forth until there is something on the board of scores.
	for (const key of ["ArrowLeft", "ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"]) {
		await ada.keyboard.press(key);
		await ada.waitForTimeout(700);
		if ((await ada.locator("#scores li").count()) > 0) break;
	}
	await pages.screenshot(ada);
	expect(await fitsPhone(ada)).toBe(true);

	await server.stop("SIGKILL");
	await server.start();
	await eventually(async () => expect(await playerOf("Ada")).toBeDefined());
	await ada.keyboard.press("ArrowDown");
	await eventually(async () => expect((await playerOf("Ada"))?.y).toBe(17));
	await client.dispose();
});
