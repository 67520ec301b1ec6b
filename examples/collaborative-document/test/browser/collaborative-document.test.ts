import { join } from "node:path";
import { examplePages, fitsPhone } from "example-support/browser";
import { exampleServer } from "example-support/server";
import { expect, it } from "vitest";

const server = exampleServer(join(import.meta.dirname, "..", ".."));
const pages = examplePages(server);

it("shows what others write, and where they are, also after a restart of the server", async () => {
	const open = async (name: string) => {
		const page = await pages.open(`/?name=${name}`);
		await page.waitForSelector('#status[data-status="connected"]');
		return page;
	};
	const [ada, grace] = [await open("Ada"), await open("Grace")];
	const text = "Dear all,\n\nthe engine weaves algebraic patterns.";
	await ada.locator(".cm-content").click();
	await ada.keyboard.type(text);
	const lines = grace.locator(".cm-content");
	await expect.poll(() => lines.innerText()).toContain("patterns.");
	await lines.click();
	await grace.keyboard.press("Control+End");
	await grace.keyboard.type(" Just as the loom does.");
	await expect.poll(() => ada.locator(".cm-content").innerText()).toContain("loom does.");
	await ada.keyboard.press("Control+Home");
	await ada.keyboard.press("Shift+End");
	await grace.locator(".cm-ySelectionInfo", { hasText: "Ada" }).waitFor({ state: "attached" });
	await expect.poll(() => grace.locator(".cm-ySelection").innerText()).toBe("Dear all,");
	await pages.screenshot(grace);
	expect(await fitsPhone(grace)).toBe(true);

	await server.stop("SIGKILL");
	await server.start();
	await ada.keyboard.press("Control+End");
	await ada.keyboard.type(" And on.");
	await expect.poll(() => lines.innerText()).toContain("And on.");
});
