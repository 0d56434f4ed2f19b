import { connect } from "node:net";

/** What one request says; `n` differs from request to request, so that a write always changes something. */
export interface Shot {
  readonly path: string;
  readonly body?: (n: number) => unknown;
}

let shots = 0;

/** A request as it goes over the wire. */
function format({ path, body }: Shot, cookie: string): string {
  const head = `host: bench\r\nconnection: keep-alive\r\ncookie: ${cookie}\r\n`;
  if (!body) return `GET ${path} HTTP/1.1\r\n${head}\r\n`;
  const content = JSON.stringify(body(shots++));
  return `POST ${path} HTTP/1.1\r\n${head}content-type: application/json\r\ncontent-length: ${content.length}\r\n\r\n${content}`;
}

/** Whether an answer has come to its end. */
function isWhole(answer: string): boolean {
  const head = answer.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /content-length: (\d+)/i.exec(answer.slice(0, head))?.[1];
  return length === undefined ? answer.endsWith("\r\n0\r\n\r\n") : answer.length - head - 4 >= Number(length);
}

const connections = 16;

/**
 * Sends the shot so many times, over one kept connection per cookie, or sixteen that share many cookies, each waiting
 * for its answer before the next; no cookie is in two requests at once. Raw sockets, so that the load costs less than
 * the server. Every connection sends at least one; returns the number of answers.
 */
export async function fire(port: number, shot: Shot, cookies: readonly string[], requests: number): Promise<number> {
  const width = Math.min(connections, cookies.length);
  let left = requests - width;
  const counts = Array.from(
    { length: width },
    (_, own) =>
      new Promise<number>((resolve, reject) => {
        const socket = connect(port, "127.0.0.1").setNoDelay();
        const share = Math.ceil((cookies.length - own) / width);
        let answer = "";
        let count = 0;
        const next = () => socket.write(format(shot, cookies[own + (count % share) * width]!));
        socket.setEncoding("latin1");
        socket.on("connect", next).on("error", reject);
        socket.on("data", (chunk) => {
          answer += chunk;
          if (!isWhole(answer)) return;
          if (!answer.startsWith("HTTP/1.1 200")) return reject(new Error(answer));
          answer = "";
          count++;
          if (left-- > 0) next();
          else socket.end(() => resolve(count));
        });
      }),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count);
}
