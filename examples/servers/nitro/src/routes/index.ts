export default () => "Hello from Nitro";
