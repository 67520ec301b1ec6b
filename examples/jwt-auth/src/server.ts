import { registry } from "./registry.ts";

const { url } = await registry.listen();
console.log(`Projects at ${url}`);
