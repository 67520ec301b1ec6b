import { registry } from "./registry.ts";

const { url } = await registry.listen();
console.log(`Weather station at ${url}`);
