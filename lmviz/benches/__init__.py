"""What single pages can do beyond the step-through's runs, in words of the product; no Streamlit."""
