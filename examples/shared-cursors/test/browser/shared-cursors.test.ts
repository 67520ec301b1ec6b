import { join } from "node:path";
import { examplePages, fitsPhone } from "example-support/browser";
import { exampleServer } from "example-support/server";
import { expect, it } from "vitest";

const server = exampleServer(join(import.meta.dirname, "..", ".."));
const pages = examplePages(server);

it("moves Ada's cursor in Grace's tab, and takes it away when Ada leaves", async () => {
	const open = async (name: string) => {
		const page = await pages.open(`/?name=${name}`);
		await page.waitForSelector('#status[data-status="connected"]');
		return page;
	};
	const [ada, grace, linus] = [await open("Ada"), await open("Grace"), await open("Linus")];
	const board = await ada.locator("#board").boundingBox();
	if (!board) throw new Error("the board is not shown");
	const moveTo = (x: number, y: number) =>
		ada.mouse.move(board.x + board.width * x, board.y + board.height * y);

	await ada.fill("#text", "Lunch at noon?");
	await moveTo(0.55, 0.2);
	await ada.mouse.down();
	await ada.mouse.up();
	await grace.getByText("Lunch at noon?").waitFor();
	await moveTo(0.25, 0.5);
	const cursor = grace.locator(".cursor", { hasText: "Ada" });
	await expect
		.poll(() => cursor.evaluate((e) => e.style.getPropertyValue("--x")))
		.toMatch(/^0\.25/);

	await linus.locator("#board").hover({ position: { x: 470, y: 230 } });
	await grace.locator(".cursor", { hasText: "Linus" }).waitFor();
	await pages.screenshot(grace);
	expect(await fitsPhone(grace)).toBe(true);

	await ada.close();
	await cursor.waitFor({ state: "detached" });
});
