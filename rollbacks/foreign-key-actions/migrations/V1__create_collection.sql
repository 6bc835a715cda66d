-- A museum's collection. Foreign keys say nothing about deletion yet: NO ACTION, the default.
CREATE TABLE institutions (
    id   integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    city text NOT NULL
);

CREATE TABLE staff (
    id             integer PRIMARY KEY,
    institution_id integer NOT NULL,
    full_name      text NOT NULL,
    CONSTRAINT staff_institution_fk FOREIGN KEY (institution_id) REFERENCES institutions (id)
);

CREATE TABLE categories (
    id        integer PRIMARY KEY,
    parent_id integer,
    name      text NOT NULL,
    CONSTRAINT categories_parent_fk FOREIGN KEY (parent_id) REFERENCES categories (id)
);

CREATE TABLE artworks (
    id              integer PRIMARY KEY,
    owner_id        integer NOT NULL,
    old_register_no text,
    category_id     integer NOT NULL,
    title           text NOT NULL,
    made_in_year    integer CHECK (made_in_year BETWEEN -3000 AND 2100),
    CONSTRAINT artworks_owner_fk FOREIGN KEY (owner_id) REFERENCES institutions (id),
    CONSTRAINT artworks_category_fk FOREIGN KEY (category_id) REFERENCES categories (id)
);
CREATE INDEX artworks_by_owner ON artworks (owner_id);

CREATE TABLE artwork_photos (
    artwork_id integer NOT NULL,
    taken_on   date NOT NULL,
    file_name  text NOT NULL,
    PRIMARY KEY (artwork_id, file_name),
    CONSTRAINT artwork_photos_artwork_fk FOREIGN KEY (artwork_id) REFERENCES artworks (id)
);
