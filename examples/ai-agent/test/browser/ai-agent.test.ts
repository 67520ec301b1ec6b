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
	// A reply is on its way for a second or two, which a look from here can miss: the page itself keeps what it shows of it,
	// and stops the one that would be long.
	const written = await page.evaluateHandle((stopAt) => {
		const texts: string[] = [];
		new MutationObserver(() => {
			const text = document.querySelector("li.writing")?.textContent ?? "";
			texts.push(text);
			const button = document.querySelector("button");
			if (text.includes(stopAt) && button?.textContent === "Stop") button.click();
		}).observe(document.body, { subtree: true, childList: true, characterData: true });
		return texts;
	}, "You said");
	const wrote = (part: string) =>
		page.waitForFunction(([texts, part]) => texts.some((text) => text.includes(part)), [
			written,
			part,
		] as const);
	const ask = async (text: string) => {
		await page.fill("input", text);
		await page.getByRole("button", { name: "Ask" }).click();
	};
	await ask("Hello, my name is Ada.");
	await wrote("Nice to");
	await page.locator("li.assistant:not(.writing)", { hasText: "a restart." }).waitFor();
	await other.locator("li.assistant", { hasText: "a restart." }).waitFor();

	await ask("Tell me everything.");
	await wrote("You said");
	await page.locator("li.assistant", { hasText: "(stopped)" }).waitFor();

	await ask("What is my name?");
	await wrote("Your name is Ada");
	await pages.screenshot(page);
	await page.getByRole("button", { name: "Ask" }).waitFor();
	expect(await page.locator("li.user, li.assistant").count()).toBe(6);
	expect(await fitsPhone(page)).toBe(true);
});
