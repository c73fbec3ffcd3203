"""What single pages can do beyond recording a text, in words of the product; no Streamlit."""
