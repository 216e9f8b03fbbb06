select c1_0.id,c1_0.birth_date,c1_0.email,c1_0.first_name,c1_0.last_name,c1_0.status,c1_0.version from customer c1_0 where c1_0.id=$1; -- $ 3

select c1_0.id,c1_0.email from customer c1_0 where c1_0.last_name like $1 escape '' order by c1_0.id; -- $ L1%

select c1_0.id,c1_0.email,p1_0.customer_id,p1_0.id,p1_0.order_date,p1_0.total,p1_0.version from customer c1_0 left join purchase_order p1_0 on c1_0.id=p1_0.customer_id where c1_0.id=$1 order by p1_0.id; -- $ 2

select count(c1_0.id) from customer c1_0 where c1_0.status=$1; -- $ ACTIVE

select c1_0.id,c1_0.first_name from customer c1_0 order by c1_0.last_name,c1_0.id offset $1 rows fetch first $2 rows only; -- $ 2 | 4

select distinct c1_0.id,c1_0.email from customer c1_0 join purchase_order p1_0 on c1_0.id=p1_0.customer_id where p1_0.total>$1 order by c1_0.id; -- $ 100

select p1_0.customer_id,sum(p1_0.total),max(p1_0.order_date) from purchase_order p1_0 group by p1_0.customer_id having sum(p1_0.total)>$1 order by 1; -- $ 150

select c1_0.id from customer c1_0 where exists(select 1 from purchase_order p1_0 where p1_0.customer_id=c1_0.id and p1_0.total>$1) order by c1_0.id; -- $ 200

select c1_0.id,c1_0.version from customer c1_0 where c1_0.id=$1 for no key update; -- $ 1

select c1_0.id from customer c1_0 where c1_0.id=$1 for update nowait; -- $ 1

select nextval('customer_seq');

insert into customer (birth_date,email,first_name,last_name,status,version,id) values ($1,$2,$3,$4,$5,$6,$7); -- $ 1999-01-02 | hib@example.net | F | L | ACTIVE | 0 | 5000

insert into purchase_order (customer_id,order_date,total,version,id) values ($1,$2,$3,$4,$5); -- $ 1 | 2030-01-01 | 5.5 | 0 | 5000

update customer set first_name=$1,last_name=$2,status=$3,version=$4 where id=$5 and version=$6; -- $ A | B | ACTIVE | 1 | 2 | 0

update purchase_order p1_0 set total=(p1_0.total+cast($1 as numeric(38,2))) where p1_0.customer_id=$2; -- $ 1.00 | 3

delete from order_line where purchase_order_id=$1 and line_number=$2; -- $ 2 | 1

delete from purchase_order p1_0 where p1_0.id in (select o1_0.purchase_order_id from order_line o1_0 where o1_0.quantity>$1); -- $ 999

select o1_0.purchase_order_id,o1_0.line_number,o1_0.product from order_line o1_0 where o1_0.purchase_order_id = any ($1::bigint[]) order by 2; -- $ {1,2,3}

select c1_0.id,case when (c1_0.birth_date<cast('1972-01-01' as date)) then 'old' else 'young' end from customer c1_0 order by c1_0.id;

select extract(year from c1_0.birth_date),count(*) from customer c1_0 group by 1 order by 1;

select c1_0.first_name||' '||c1_0.last_name,lower(c1_0.email) from customer c1_0 order by c1_0.id;

with p as (select purchase_order.customer_id as cid,count(*) as n from purchase_order group by purchase_order.customer_id) select c1_0.id,p.n from customer c1_0 join p on p.cid=c1_0.id order by c1_0.id;
