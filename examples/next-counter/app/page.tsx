import { Counter } from "./counter.tsx";

export default async function Page({
	searchParams,
}: {
	searchParams: Promise<{ counter?: string }>;
}) {
	const { counter = "main" } = await searchParams;
	return (
		<main>
			<h1>#{counter}</h1>
			<Counter name={counter} />
		</main>
	);
}
