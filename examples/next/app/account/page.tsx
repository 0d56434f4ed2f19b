import { redirect } from "next/navigation";
import { readSession } from "../../sessions";

export default async function Account() {
  const user = await readSession((session) => session.value("user", null));
  if (!user) redirect("/");
  return <h1>The account of {user.name}</h1>;
}
