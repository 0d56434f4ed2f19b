import { Account } from "./account.tsx";
import { Cart } from "./cart.tsx";
import { Catalogue } from "./catalogue.tsx";
import { Header } from "./header.tsx";
import { Ledger } from "./ledger.tsx";
import { Note } from "./note.tsx";
import { Welcome } from "./welcome.tsx";

export function App() {
  return (
    <>
      <a className="skip" href="#goods">
        Skip to the goods
      </a>
      <Header />
      <main>
        <Welcome />
        <div className="columns">
          <Catalogue />
          <div className="desk">
            <Cart />
            <Note />
            <Account />
            <Ledger />
          </div>
        </div>
      </main>
      <footer>
        <p>Nothing here is for sale, and nobody is watching you sleep. A demonstration of Catnap.</p>
      </footer>
    </>
  );
}
