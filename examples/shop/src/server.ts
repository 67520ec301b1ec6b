import { registry } from "./registry.ts";

const { url } = await registry.listen();
console.log(`The inside of the shop: ${url}/ui/\nShop at ${url}`);
