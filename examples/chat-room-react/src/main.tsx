import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import "./style.css";

const query = new URLSearchParams(location.search);

createRoot(document.getElementById("root") as HTMLElement).render(
	<StrictMode>
		<App room={query.get("room") ?? "lobby"} author={query.get("author") ?? "Guest"} />
	</StrictMode>,
);
