/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_digest.h"

#include <errno.h>
#include <stdio.h>

EVP_MD_CTX *image_digest_new(void)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
		return digest;
	EVP_MD_CTX_free(digest);
	return NULL;
}

void image_digest_freep(EVP_MD_CTX **digest)
{
	EVP_MD_CTX_free(*digest);
}

int image_digest_text(EVP_MD_CTX *digest, char ret[IMAGE_SHA256_SIZE])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size;

	if (EVP_DigestFinal_ex(digest, bytes, &size) != 1 || 2 * size + 1 != IMAGE_SHA256_SIZE)
		return -EIO;
	for (size_t i = 0; i < size; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}
