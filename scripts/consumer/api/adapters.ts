import { expressSession } from "catnap/express";
import { honoSession } from "catnap/hono";
import { createNextSessions } from "catnap/next";
import { sessions } from "./server.js";

export const express = expressSession(sessions);
export const hono = honoSession(sessions);
export const { readSession, withSession, snapshot: nextSnapshot } = createNextSessions(sessions);
export { fastifySession } from "catnap/fastify";
