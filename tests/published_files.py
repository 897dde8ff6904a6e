"""Small files in the formats of public datasets, for the tests of the converters."""

import gzip
import json


def json_lines(*records):
    return "".join(
        (record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records
    )


def read_json_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def write(folder, **files):
    """Write files whose names have two underscores for each dot; `.gz` is packed."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return folder


def review(user="u1", item="A1", time=1500000000, stars=5.0):
    return {"reviewerID": user, "asin": item, "unixReviewTime": time, "overall": stars}


def amazon_2018(tmp_path, reviews=None, meta=None, **names):
    return write(
        tmp_path / "source",
        Mugs_5__json__gz=json_lines(*(reviews or [review(), review(item="A2")])),
        meta_Mugs__json__gz=json_lines(
            *(meta or [{"asin": "A1", "title": "Mug"}, {"asin": "A2", "title": "Cup"}])
        ),
    )


FLAGS = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0"


MOVIES = {
    "100k": {
        "u__data": "196\t1\t3\t881250949\n196\t2\t5\t881250940\n",
        "u__item": f"1|Été (1995)|01-Jan-1995||http://example.org|{FLAGS}\n"
        f"2|unknown||||1|{'|'.join('0' * 18)}\n",
    },
    "1m": {
        "ratings__dat": "196::1::3::881250949\n196::2::5::881250940\n",
        "movies__dat": "1::Été (1995)::Animation|Children's|Comedy\n2::unknown::\n",
    },
    "latest": {
        "ratings__csv": "userId,movieId,rating,timestamp\r\n196,1,3,881250949\r\n"
        "196,2,5,881250940\r\n",
        "movies__csv": "movieId,title,genres\r\n1,Été (1995),Animation|Children's|Comedy\r\n"
        "2,unknown,(no genres listed)\r\n",
    },
}


HM_COLUMNS = (
    "article_id,product_code,prod_name,product_type_name,product_group_name,"
    "graphical_appearance_name,colour_group_name,index_name,index_group_name,detail_desc\n"
)


def hm(tmp_path, zero="0"):
    source = write(
        tmp_path / "source",
        transactions_train__csv="t_dat,customer_id,article_id,price,sales_channel_id\n"
        f"2018-09-20,c1,{zero}108775015,0.05,2\n2018-09-21,c1,{zero}108775044,0.05,2\n"
        f"2018-09-20,c1,{zero}108775015,0.05,2\n2018-09-20,c1,{zero}110065001,0.05,1\n",
        articles__csv=HM_COLUMNS
        + f"{zero}108775015,108775,Strap top,Vest top,Upper,Solid,Black,Ladies,Ladieswear,\n"
        + f"{zero}108775044,108775,Strap top,Vest top,Upper,Solid,White,Ladies,Ladieswear,Soft\n"
        + f'{zero}110065001,110065,Socks,Socks,Legs,Dot,Red,Ladies,Ladieswear,"Warm, soft"\n',
    )
    for name in ("010/0108775015.jpg", "010/0108775044.JPG", "011/0999999999.jpg"):
        path = source / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return source
