import { registry } from "./actors.ts";

const { url } = await registry.listen();

const query = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=demo";
console.log(`Try it, then stop the server, start it again, and count on:

  curl -X POST '${url}/gateway/counter/action/increment?${query}' -d '{"args":[1]}'
`);
