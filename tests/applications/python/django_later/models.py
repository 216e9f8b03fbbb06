"""What the shop gets later, as its migrations alone know it: vouchers."""
