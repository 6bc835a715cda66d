CREATE TABLE loans (
    id          integer PRIMARY KEY,
    borrower_id integer NOT NULL,
    starts_on   date NOT NULL,
    ends_on     date NOT NULL,
    CONSTRAINT loans_period CHECK (ends_on >= starts_on),
    CONSTRAINT loans_borrower_fk FOREIGN KEY (borrower_id) REFERENCES institutions (id)
);

CREATE TABLE loan_items (
    loan_id       integer NOT NULL,
    artwork_id    integer NOT NULL,
    insured_cents bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (loan_id, artwork_id),
    CONSTRAINT loan_items_loan_fk FOREIGN KEY (loan_id) REFERENCES loans (id),
    CONSTRAINT loan_items_artwork_fk FOREIGN KEY (artwork_id) REFERENCES artworks (id)
);

CREATE TABLE condition_reports (
    id         integer PRIMARY KEY,
    artwork_id integer NOT NULL,
    written_on date NOT NULL,
    findings   text NOT NULL,
    CONSTRAINT condition_reports_artwork_fk FOREIGN KEY (artwork_id) REFERENCES artworks (id)
);

CREATE TABLE handling_log (
    id         integer PRIMARY KEY,
    handler_id integer NOT NULL,
    happened   timestamp NOT NULL,
    what       text NOT NULL,
    CONSTRAINT handling_log_handler_fk FOREIGN KEY (handler_id) REFERENCES staff (id)
);
