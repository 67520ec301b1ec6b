import { setupTest } from "rivetkit/test";
import { expect, test } from "vitest";
import { type Message, registry } from "../src/actors.ts";

test("what one says, the others hear, and it stays in the history", async (context) => {
	const { client } = await setupTest(context, registry);
	const join = (author: string) =>
		client.chatRoom.getOrCreate(["lobby"], { params: { author } }).connect();
	const [ada, grace] = [join("Ada"), join("Grace")];
	await grace.present();
	const heard = new Promise<Message>((resolve) => grace.once("message", resolve));
	await ada.say("Hello");
	expect(await heard).toMatchObject({ author: "Ada", text: "Hello" });
	expect(await grace.history()).toHaveLength(1);
	expect(await grace.present()).toEqual(["Ada", "Grace"]);
});

test("who does not say who they are is not let in", async (context) => {
	const { client } = await setupTest(context, registry);
	const nobody = client.chatRoom.getOrCreate(["lobby"], { params: { author: " " } });
	await expect(nobody.history()).rejects.toMatchObject({ code: "author_missing" });
});
