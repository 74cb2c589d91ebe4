"""What the shop promised its customers."""

import unittest

from receipt import price, receipt


class Prices(unittest.TestCase):
    def test_one_thing_costs_its_price(self):
        self.assertEqual(price(250, 1), 250)

    def test_nine_are_not_cheaper(self):
        self.assertEqual(price(100, 9), 900)

    def test_ten_are_ten_percent_cheaper(self):
        self.assertEqual(price(100, 10), 900)

    def test_receipt_adds_up(self):
        self.assertTrue(receipt([("tea", 300, 2), ("cup", 450, 1)]).endswith("10.50"))


if __name__ == "__main__":
    unittest.main()
