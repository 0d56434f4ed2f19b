import { createExpressMiddleware } from "@trpc/server/adapters/express";
import type { Session } from "catnap";
import { expressSession } from "catnap/express";
import express from "express";
import { renderPage } from "./page";
import { appRouter, createContext } from "./router";
import type { shop } from "./session";
import { sessions } from "./sessions";

declare global {
  namespace Express {
    interface Request {
      session: Session<typeof shop>;
    }
  }
}

const app = express();
app.use(express.static("public"));
app.use("/trpc", createExpressMiddleware({ router: appRouter, createContext }));
app.use(expressSession(sessions));

app.get("/", async (req, res) => {
  res.send(renderPage(await sessions.wake({ req, res }).snapshot()));
});

app.get("/whoami", ({ session }, res) => {
  res.json({
    theme: session.value("theme"),
    user: session.value("user", null)?.name ?? null,
    cart: session.value("cart"),
  });
});

const port = Number(process.env.PORT ?? 3000);
app.listen(port, () => console.log(`http://localhost:${port}`));
