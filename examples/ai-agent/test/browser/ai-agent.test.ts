import { join } from "node:path";
import { examplePages, fitsPhone } from "example-support/browser";
import { exampleServer } from "example-support/server";
import { expect, it } from "vitest";

const server = exampleServer(join(import.meta.dirname, "..", ".."), {
	OPENAI_API_KEY: "",
	OPENAI_BASE_URL: "",
});
const pages = examplePages(server);

it("shows a reply as it comes, in the other tab when it is whole, and stops it", async () => {
	const open = async () => {
		const page = await pages.open();
		await page.waitForSelector('#status[data-status="connected"]');
		return page;
	};
	const [page, other] = [await open(), await open()];
	const ask = async (text: string) => {
		await page.fill("input", text);
		await page.click("button");
	};
	await ask("Hello, my name is Ada.");
	await page.locator("li.writing", { hasText: "Nice to" }).waitFor();
	await page.locator("li.assistant:not(.writing)", { hasText: "a restart." }).waitFor();
	await other.locator("li.assistant", { hasText: "a restart." }).waitFor();

	await ask("Tell me everything.");
	await page.locator("li.writing", { hasText: "You said" }).waitFor();
	await page.getByRole("button", { name: "Stop" }).click();
	await page.locator("li.assistant", { hasText: "(stopped)" }).waitFor();

	await ask("What is my name?");
	await page.locator("li.writing", { hasText: "Ada" }).waitFor();
	await pages.screenshot(page);
	await page.getByRole("button", { name: "Ask" }).waitFor();
	expect(await page.locator("li.user, li.assistant").count()).toBe(6);
	expect(await fitsPhone(page)).toBe(true);
});
